"""Classes of routes: whose auth failures are counted apart, and which answers count nowhere."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from bluegreen.settings.section import Section, Shape
from bluegreen.settings.shown import quoted
from bluegreen.settings.values import Name, Statuses

Method = Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


def _pattern(value: str) -> str:
    if not value.startswith(("/", "*")) or not value.isascii() or not value.isprintable() or " " in value:
        raise ValueError(
            f'{quoted(value)} is not a path: it begins with "/" and has no spaces, and "*" in it stands for any text, '
            'for example "/self-service/login*"'
        )
    if "?" in value or "#" in value:
        raise ValueError(f'{quoted(value)} has a query: paths are compared without it, and "*" is any text')
    return value


PathPattern = Annotated[str, AfterValidator(_pattern), Shape("path, * for any text", "/self-service/login*")]


class Route(Section):
    """Requests that are a class of their own. Their auth failures are a signal by themselves, `auth:<name>`, held
    against what was usual for them: where hundreds of expired sessions are told 401 every minute, a broken login does
    not show among them. The first class that fits a request has it; 5xx and slow answers are counted over all."""

    name: Name = Field(description="What the class is called; its signal is auth:<name>.", examples=["login"])
    service: Name | None = Field(
        default=None, description="Name of the service that it is about. Not set: all.", examples=["identity"]
    )
    paths: tuple[PathPattern, ...] = Field(
        min_length=1,
        description="Paths as users ask for them, without a query; * stands for any text, also with slashes in it.",
        examples=[["/self-service/login*"]],
    )
    methods: tuple[Method, ...] = Field(
        default=(), description="Methods that it is about. Empty: all.", examples=[["POST"]]
    )
    auth_failures: Statuses = Field(
        default=(401, 403),
        description="Statuses that are auth failures here. Ory Kratos, for example, answers a wrong password with 400.",
    )
    ignore: bool = Field(
        default=False,
        description="Whether answers to it count nowhere: not as errors, not as slow, not as answers. For what is no "
        "user's, such as health checks of others.",
    )

    @model_validator(mode="after")
    def _ignored_have_no_failures(self) -> Self:
        if self.ignore and "auth_failures" in self.model_fields_set:
            raise ValueError("`auth_failures` has no meaning where `ignore` is true: leave one of them out")
        return self
