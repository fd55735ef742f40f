"""Keyed fingerprints of values: HMAC-SHA256 with a key of this daemon's own.

A plain hash of a password could be tried out with a list of passwords; without the key there is nothing to try. The key
is made once, lies in the state directory for its owner alone, and leaves it never.
"""

import hashlib
import hmac
import json
import os
import re
import secrets
from contextlib import suppress
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from bluegreen.domain.errors import VariablesUnreadable
from bluegreen.domain.prints import Print

KEY_SIZE = 32
LENGTH = 32
"""Hexadecimal digits of a fingerprint: 128 bits, so that two values never share one by chance."""

MOST_PARTS = 64
"""Secrets in one list; beyond them it is no list."""

NAMED = frozenset({"application_name", "fallback_application_name", "applicationname"})
"""What tells one colour's sessions from the other's in the URL of a database (libpq; JDBC: ApplicationName)."""

DATABASE = re.compile(r"(?i)(?:jdbc:)?(?:postgres(?:ql)?|cockroach(?:db)?|pgx?)(?:\+\w+)?://")
KEYWORDS = re.compile(r"(?i)(?:^|[\s;])(?:host|hostaddr|server|dbname|database)\s*=")
NAME_KEYWORD = re.compile(
    r"(?i)(?:^|(?<=[\s;]))(?:fallback_)?application[_ ]?name\s*=\s*(?:'(?:[^'\\]|\\.)*'|\"[^\"]*\"|[^\s;]*)\s*;?\s*"
)
"""The same in the other forms: libpq's keywords, and Npgsql's `Application Name=x;`."""


class Fingerprints:
    """Takes fingerprints with one key."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def of(self, value: str) -> Print:
        """The fingerprint of a value."""
        core = _without_name(value)
        return Print(
            self._digest("whole", value),
            tuple(self._digest("part", part) for part in _parts(value)),
            self._digest("core", core) if core else "",
            empty=not value,
        )

    def _digest(self, kind: str, text: str) -> str:
        message = f"{kind}\0{text}".encode("utf-8", "surrogateescape")
        return hmac.new(self._key, message, hashlib.sha256).hexdigest()[:LENGTH]


def key_in(file: Path) -> bytes:
    """The key of a state directory; made when it is asked for first. Raises VariablesUnreadable."""
    try:
        return _read(file) or _made(file)
    except OSError as exc:
        raise VariablesUnreadable(
            f"{file}: the key of the fingerprints cannot be read or made: {exc.strerror or exc}",
            next=(f"ls -l {file.parent}",),
        ) from exc


def _read(file: Path) -> bytes | None:
    """None where there is none, or one that was cut short, which goes: nothing that is kept hangs on it."""
    try:
        key = file.read_bytes()
    except FileNotFoundError:
        return None
    if len(key) != KEY_SIZE:
        file.unlink(missing_ok=True)
        return None
    if file.stat().st_mode & 0o077:
        file.chmod(0o600)
    return key


def _made(file: Path) -> bytes:
    """Made under another name and linked, so that of two who make one at once both get the same."""
    fresh = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(secrets.token_bytes(KEY_SIZE))
            opened.flush()
            os.fsync(opened.fileno())
        with suppress(FileExistsError):
            file.hardlink_to(fresh)
        return file.read_bytes()
    finally:
        fresh.unlink(missing_ok=True)


def _parts(value: str) -> list[str]:
    """The secrets of a list (`a,b`, `["a", "b"]`, `[a, b]`); the value itself where it is none."""
    text = value.strip()
    if text.startswith("[") and text.endswith("]"):
        listed = _json_list(text)
        if listed is not None:
            return listed if len(listed) <= MOST_PARTS else [text]
        text = text[1:-1]
    parts = [part for word in text.split(",") if (part := word.strip().strip("'\"").strip())]
    return parts if len(parts) <= MOST_PARTS else [text]


def _json_list(text: str) -> list[str] | None:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return [str(each) for each in found if each != ""] if isinstance(found, list) else None


def _without_name(value: str) -> str:
    """The URL of a database, or its keywords, without what names the colour; "" where it is neither."""
    if DATABASE.match(value):
        try:
            url = urlsplit(value)
        except ValueError:
            return ""
        kept = [(key, each) for key, each in parse_qsl(url.query, keep_blank_values=True) if key.lower() not in NAMED]
        return urlunsplit(url._replace(query=urlencode(kept)))
    if KEYWORDS.search(value):
        return NAME_KEYWORD.sub("", value).strip().rstrip(";").strip()
    return ""
