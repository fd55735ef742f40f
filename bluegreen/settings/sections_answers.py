"""What an answer must be, of whatever check it is asked by."""

from pydantic import Field

from bluegreen.settings.section import Section
from bluegreen.settings.values import Statuses
from bluegreen.settings.values_answers import HeaderName, JsonPointer, JsonValue, VersionPlace


class Answer(Section):
    """What an answer must be; every condition given must hold."""

    status: Statuses = Field(default=(200,), description="Its status, or a list of allowed ones.")
    header: dict[HeaderName, str] = Field(
        default={},
        description='Headers and the text that each must contain; "" means that it must be there. Here, in `body` and '
        "in `json`, {release} and {colour} stand for what is asked, and in a flow {name} for a value.",
        examples=[{"content-type": "text/html"}],
    )
    body: str = Field(default="", description="Text that the body must contain. Empty: any body.", examples=["Sign in"])
    json_: dict[JsonPointer, JsonValue] = Field(
        default={},
        alias="json",
        description="Values in a JSON body by their JSON pointer (RFC 6901), which must be equal. A pointer begins "
        'with "/": "/checks/0/status".',
        examples=[{"/checks/database": "up"}],
    )


class Expectation(Answer):
    """What the answer of a smoke check must be; every condition given must hold."""

    version: VersionPlace | None = Field(
        default=None,
        description='Where the answer tells its version, which must be that of the release: "json:/POINTER", '
        '"header:NAME", "body" for the whole of it, "body:REGEX" for its first group. Not set: not checked. It '
        "catches a colour that still runs the old release.",
        examples=["json:/version"],
    )
