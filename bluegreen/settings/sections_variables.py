"""What is known of the variables that the colours are given: which are secrets, and which may differ."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from bluegreen.settings.section import Section, Shape
from bluegreen.settings.shown import quoted
from bluegreen.settings.values import FilePath


def _pattern(value: str) -> str:
    if not value or not value.replace("*", "").replace("?", "").replace("_", "").replace("-", "").isalnum():
        raise ValueError(f'{quoted(value)} names no variables: use letters, digits, _, * and ?, for example "*SECRET*"')
    return value


Pattern = Annotated[str, AfterValidator(_pattern), Shape("variable name with * and ?", "*SECRET*")]


class Variables(Section):
    """The check of the variables: the release's example, the live colour and the idle one are compared, without a value
    ever being shown. It needs [environments.<colour>] env_files. Names are compared without regard to case."""

    example: FilePath | None = Field(
        default=None,
        description="The example of the variables that comes with a release; {release} is filled in. The `env_example` "
        "of the release file comes first. Not set: the colours are compared with each other alone.",
        examples=["/srv/olympus/releases/{release}/.env.example"],
    )
    missing: Literal["warn", "refuse"] = Field(
        default="warn",
        description='What a variable leads to that stands in the example and not in the idle colour. "warn": it is '
        'said. "refuse": PREPARING and `plan` refuse, but for --force with a reason.',
    )
    secrets: tuple[Pattern, ...] = Field(
        default=(),
        description="Names of secrets, beside those that say so themselves (*SECRET*, *PASSWORD*, *TOKEN*, *_KEY, *DSN "
        "and the like): told when one differs between the colours, or is still the example's.",
        examples=[["SMTP_CONNECTION_URI"]],
    )
    same: tuple[Pattern, ...] = Field(
        default=(),
        description="Names of secrets that sessions hang on, beside SECRETS_COOKIE, SECRETS_SYSTEM, SECRETS_CIPHER, "
        "*SESSION*SECRET*, *COOKIE*SECRET*, *JWT*KEY*, SECRET_KEY and the like. What the live colour signs with must "
        "be accepted by the idle one, else everyone would be logged out: refused, but for --force with a reason. A "
        "list of secrets (by commas, or NAME_0, NAME_1) signs with its first and accepts all: "
        "docs/guides/secret-rotation.md.",
        examples=[["HERA_SEAL"]],
    )
    differ: tuple[Pattern, ...] = Field(
        default=(),
        description="Names that may differ between the colours without a word, whatever else they are, beside *PORT, "
        "*LISTEN*, *COLOUR*, *APPLICATION_NAME*, *INSTANCE*, *HOSTNAME and the like. One without * and ? must differ: "
        "where it does not, it is said.",
        examples=[["SERVE_PUBLIC_BASE_URL"]],
    )
    ignore: tuple[Pattern, ...] = Field(
        default=(), description="Names that are not looked at at all.", examples=[["COMPOSE_*"]]
    )
