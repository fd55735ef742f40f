"""What names say of variables: which are secrets, which may differ between the colours, and what was renamed."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

SECRETS = (
    *("*SECRET*", "*PASSWORD*", "*PASSWD*", "*PASSPHRASE*", "*_PASS", "*TOKEN*", "*CREDENTIAL*", "*SALT*", "*PEPPER*"),
    *("*_KEY", "*_KEYS", "*_KEY_*", "*APIKEY*", "*DSN", "DATABASE_URL", "*_DATABASE_URL"),
)
SAME = (
    *("*SECRETS_COOKIE", "*SECRETS_SYSTEM", "*SECRETS_CIPHER", "*SECRETS_DEFAULT", "*SECRETS_PAGINATION"),
    *("*COOKIE*SECRET*", "*COOKIE*KEY*", "*SESSION*SECRET*", "*SESSION*KEY*", "*CSRF*SECRET*", "*CSRF*KEY*"),
    *("*JWT*SECRET*", "*JWT*KEY*", "*ENCRYPTION*KEY*", "*AUTH_SECRET"),
    *("SECRET_KEY", "DJANGO_SECRET_KEY", "SECRET_KEY_BASE", "APP_KEY"),
)
DIFFER = (
    *("*PORT", "*PORTS", "*LISTEN*", "*COLOUR*", "*COLOR*", "*APPLICATION_NAME*", "*INSTANCE*", "*HOSTNAME"),
    *("PGAPPNAME", "COMPOSE_PROJECT_NAME"),
)
"""What the settings say where nobody says otherwise (section [variables])."""

SHOWN = 12
"""Names that a sentence lists; the rest is counted."""

LONGEST_LINE = 2000
"""Characters of a changelog's line that is read for renames: a longer one is no sentence."""

WORD = r"`?(?<![A-Z0-9_])([A-Z][A-Z0-9_]{2,63})(?![A-Z0-9_])`?"
RENAMES = tuple(
    re.compile(pattern.replace("NAME", WORD).replace(" ", r"\s+"))
    for pattern in (
        r"NAME (?:(?:is|was|has been|have been) )?(?:now )?[Rr]enamed (?:in)?to NAME",
        r"[Rr]enam(?:ed?|es|ing) (?:\w+ )?(?:\w+ )?NAME (?:in)?to NAME",
        r"NAME\s*(?:->|=>|→|⇒) NAME",
        r"NAME (?:is|was|has been) replaced (?:by|with) NAME",
        r"[Rr]eplaced? NAME (?:by|with) NAME",
    )
)
"""How a changelog says that a variable has another name now."""


@dataclass(frozen=True, slots=True)
class Rules:
    """Patterns of names (* and ?, in either case): which are secrets, which of those sessions hang on (`same`), which
    may `differ`, which to `ignore`; `refuse_missing`: what the example has and the idle colour has not is refused."""

    secrets: tuple[str, ...] = SECRETS
    same: tuple[str, ...] = SAME
    differ: tuple[str, ...] = DIFFER
    ignore: tuple[str, ...] = ()
    refuse_missing: bool = False


def renames(changelog: str) -> dict[str, str]:
    """The new name of each old one that a changelog speaks of."""
    return {
        found[1]: found[2]
        for line in changelog.splitlines()
        if len(line) <= LONGEST_LINE
        for pattern in RENAMES
        for found in pattern.finditer(line)
        if found[1] != found[2]
    }


def names_of(keys: Iterable[str]) -> str:
    """Names in a sentence."""
    ordered = sorted(keys)
    more = f" and {len(ordered) - SHOWN} more" if len(ordered) > SHOWN else ""
    return ", ".join(ordered[:SHOWN]) + more


def exact(patterns: Iterable[str]) -> tuple[str, ...]:
    """Those that name one variable and no more."""
    return tuple(pattern for pattern in patterns if "*" not in pattern and "?" not in pattern)


def fits(name: str, patterns: tuple[str, ...]) -> bool:
    """Whether a name fits one of them, in either case."""
    return _compiled(patterns).fullmatch(name) is not None


@lru_cache(maxsize=64)
def _compiled(patterns: tuple[str, ...]) -> re.Pattern[str]:
    texts = (re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".") for pattern in patterns)
    return re.compile("|".join(f"(?:{text})" for text in texts) or "(?!)", re.IGNORECASE)
