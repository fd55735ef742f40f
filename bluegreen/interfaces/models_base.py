"""What every answer of the API is made of."""

import math
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict


def _finite(value: Any) -> Any:
    """JSON knows no infinity; certainty beyond 1e300 is certainty."""
    return min(value, 1e300) if isinstance(value, float) and not math.isnan(value) else value


Time = Annotated[datetime, AfterValidator(lambda time: time.astimezone(UTC))]
Number = Annotated[float, BeforeValidator(_finite)]


class Answer(BaseModel):
    """What we send, read from the attributes of what the app answers."""

    model_config = ConfigDict(extra="forbid", frozen=True, from_attributes=True)
