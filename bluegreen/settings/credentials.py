"""Secrets: read from systemd's credentials directory or written literally, and never shown.

systemd decrypts what a unit names in LoadCredential= or LoadCredentialEncrypted= into a directory that only the service
can read, and tells it in $CREDENTIALS_DIRECTORY (systemd.exec(5)). A secret key takes `{ credential = "NAME" }` for the
file NAME in it, or the secret itself as text.
"""

import os
import re
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import parse_qs, unquote, urlsplit

from pydantic import AfterValidator, PlainSerializer, PlainValidator, SecretStr

from bluegreen.logs import SECRET_NAME
from bluegreen.settings.places import nearest
from bluegreen.settings.section import Shape, walk
from bluegreen.settings.shown import quoted
from bluegreen.settings.values import NAME

LARGEST = 64 * 1024
MASK = "**********"
OPERATORS_TABLES = ("environment", "headers", "form", "values")
"""Tables whose values may be secrets and mostly are not."""

FILLED_IN = re.compile(r"\{[a-z][a-z0-9_]*\}")
"""The name of a value that is put there later is no secret, wherever it stands."""


class Secret(SecretStr):
    """A text that repr, errors and `config show` do not show; `credential` names the file it came from, if any."""

    def __init__(self, secret_value: str, credential: str | None = None) -> None:
        super().__init__(secret_value)
        self.credential = credential


def read_secret(value: object) -> Secret:
    """The secret that a key holds or names. ValueError says why there is none, and never what it is."""
    if isinstance(value, Secret):
        return value
    if isinstance(value, str):
        return _usable(value, None)
    name = value.get("credential") if isinstance(value, dict) and len(value) == 1 else None
    if not isinstance(name, str):
        raise ValueError('must be a text, or { credential = "NAME" }')  # noqa: TRY004 - pydantic's protocol
    if not NAME.fullmatch(name):
        raise ValueError(f"{quoted(name)} is not the name of a credential: it is a file name without any directory")
    return _usable(_read(name), name)


def _read(name: str) -> str:
    directory = os.environ.get("CREDENTIALS_DIRECTORY")
    if not directory:
        raise ValueError(
            f'the credential "{name}" cannot be read, because CREDENTIALS_DIRECTORY is not set: '
            f"give it to the unit with LoadCredential={name}:/etc/bluegreen/credentials/{name}, "
            "or type CREDENTIALS_DIRECTORY=/etc/bluegreen/credentials before the command"
        )
    try:
        content = (Path(directory) / name).read_bytes()[: LARGEST + 1]
        text = content.decode()
    except FileNotFoundError as exc:
        raise ValueError(_absent(name, Path(directory))) from exc
    except OSError as exc:
        raise ValueError(f'the credential "{name}" cannot be read: {exc.strerror} ({directory}/{name})') from exc
    except UnicodeDecodeError:
        raise ValueError(f'the credential "{name}" is not text (UTF-8)') from None  # the cause would show the bytes
    if len(content) > LARGEST:
        raise ValueError(f'the credential "{name}" is longer than {LARGEST} bytes')
    return text.removesuffix("\n").removesuffix("\r")


def _absent(name: str, directory: Path) -> str:
    there = sorted(path.name for path in directory.iterdir()) if directory.is_dir() else []
    meant = nearest(name, there)
    hint = f'; did you mean "{meant}"?' if meant else f": add LoadCredential={name}:... to the unit"
    return f'there is no credential "{name}" in {directory}{hint}'


def _usable(text: str, credential: str | None) -> Secret:
    where = f'the credential "{credential}"' if credential else "it"
    if "\0" in text:
        raise ValueError(f"{where} holds a NUL character")
    return Secret(text, credential)


def _not_empty(secret: Secret) -> Secret:
    if not secret.get_secret_value().strip():
        raise ValueError(f'the credential "{secret.credential}" is empty' if secret.credential else "is empty")
    return secret


def _one_word(secret: Secret) -> Secret:
    text = secret.get_secret_value()
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("must be printable ASCII without spaces: it is compared with an HTTP header")
    return secret


def _dsn(secret: Secret) -> Secret:
    try:
        url = urlsplit(secret.get_secret_value())
        usable = (
            url.scheme in ("postgresql", "postgres")
            and len(url.path) > 1
            and not {"/", "@"} & set(url.path[1:])
            and not url.fragment
        )
    except ValueError:
        usable = False
    if not usable:
        raise ValueError(
            "is not a connection string with a database (it is not shown, since it may hold a password): "
            'write "postgresql://USER@HOST:5432/DATABASE", and in a password %2F %3F %23 %40 for / ? # @'
        )
    return secret


def _web_address(secret: Secret) -> Secret:
    try:
        url = urlsplit(secret.get_secret_value())
        usable = url.scheme in ("http", "https") and bool(url.hostname) and (url.port or 1) > 0
    except ValueError:
        usable = False
    if not usable:
        raise ValueError('is not a URL (it is not shown, since it may hold a token): write "https://HOST/PATH"')
    return secret


def shown_secret(secret: SecretStr) -> Any:
    """What may be shown of a secret: where it comes from, never what it is."""
    credential = getattr(secret, "credential", None)
    return {"credential": credential} if credential else MASK


_read_it = PlainValidator(read_secret)
_mask_it = PlainSerializer(shown_secret, when_used="json")

Token = Annotated[
    Secret, _read_it, AfterValidator(_not_empty), AfterValidator(_one_word), _mask_it,
    Shape("secret", {"credential": "hook-token"}),
]  # fmt: skip
Dsn = Annotated[
    Secret, _read_it, AfterValidator(_not_empty), AfterValidator(_dsn), _mask_it,
    Shape("secret connection string", {"credential": "database"}),
]  # fmt: skip
WebAddress = Annotated[
    Secret, _read_it, AfterValidator(_not_empty), AfterValidator(_web_address), _mask_it,
    Shape("secret URL", {"credential": "webhook"}),
]  # fmt: skip
SecretText = Annotated[Secret, _read_it, _mask_it, Shape("text or credential", "text")]


def confidential(settings: Any) -> dict[tuple[str | int, ...], Secret]:
    """The secrets of loaded settings by their key. Literal variables and headers count where their name says so."""
    return {
        path: value
        for path, value in walk(settings)
        if isinstance(value, Secret) and (value.credential or not _may_be_plain(path, value))
    }


def revealed(settings: Any) -> frozenset[str]:
    """Every text that must not appear in a log: the secrets, and the passwords and paths inside of them."""
    texts: set[str] = set()
    for secret in confidential(settings).values():
        text = secret.get_secret_value()
        texts |= {text, *_parts(text)}
    return frozenset(texts)


def _may_be_plain(path: tuple[str | int, ...], value: Secret) -> bool:
    if path[-2] not in OPERATORS_TABLES:
        return False
    return not SECRET_NAME.search(str(path[-1])) or bool(FILLED_IN.fullmatch(value.get_secret_value()))


def _parts(text: str) -> set[str]:
    """The password of a connection string, quoted and plain; the path of a webhook, which is often its token."""
    try:
        url = urlsplit(text)
    except ValueError:
        return set()
    parts = {url.password or "", unquote(url.password or ""), *parse_qs(url.query).get("password", [])}
    if url.scheme in ("http", "https"):
        parts |= {url.path, f"{url.path}?{url.query}" if url.query else ""}
    return parts - {"", "/"}
