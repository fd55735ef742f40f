"""What callers of the API may send: which fields go together, and what needs a reason."""

from typing import Any

import pytest
from pydantic import ValidationError

from bluegreen.app.requests import PlanRequest
from bluegreen.interfaces import requests

DAY = 86_400


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (requests.PauseRequest, {"reason": "lunch"}),
        (requests.PauseRequest, {"reason": "lunch", "seconds": 1}),
        (requests.PauseRequest, {"reason": "lunch", "seconds": 30 * DAY}),
        (requests.ResumeRequest, {"reason": "back"}),
        (requests.PromoteRequest, {}),
        (requests.PromoteRequest, {"reason": "seen to"}),
        (requests.PromoteRequest, {"reason": "seen to", "full": True}),
        (requests.DeployRequest, {"plan": "p-1"}),
        (requests.DeployRequest, {"plan": "p-1", "supersede": True}),
        (requests.DeployRequest, {"release": "1.1.0", "supersede": True}),
        (requests.PlanRequest, {"release": "1.1.0", "live_is_down": True, "reason": "a new host"}),
        (requests.PlanRequest, {"release": "1.1.0", "force": True, "reason": "it was the network"}),
    ],
)
def test_it_is_taken(kind: type[requests.Request], body: dict[str, Any]) -> None:
    kind.model_validate(body)


@pytest.mark.parametrize(
    ("kind", "body", "why"),
    [
        (requests.PauseRequest, {}, "reason"),
        (requests.PauseRequest, {"reason": ""}, "reason"),
        (requests.PauseRequest, {"reason": "two\nlines"}, "reason"),
        (requests.PauseRequest, {"reason": "lunch", "seconds": 0}, "seconds"),
        (requests.PauseRequest, {"reason": "lunch", "seconds": -1}, "seconds"),
        (requests.PauseRequest, {"reason": "lunch", "seconds": 30 * DAY + 1}, "seconds"),
        (requests.PauseRequest, {"reason": "lunch", "seconds": float("nan")}, "seconds"),
        (requests.PauseRequest, {"reason": "lunch", "until": "18:00"}, "until"),
        (requests.ResumeRequest, {"reason": ""}, "reason"),
        (requests.PromoteRequest, {"full": True}, 'needs a "reason"'),
        (requests.DeployRequest, {"plan": "p-1", "contract": True}, "fixed when it was made"),
        (requests.DeployRequest, {"plan": "p-1", "release": "1.1.0"}, "either"),
        (requests.DeployRequest, {"supersede": True}, "either"),
        (requests.PlanRequest, {"release": "1.1.0", "live_is_down": True}, '"live_is_down" needs a "reason"'),
        (requests.PlanRequest, {"release": "1.1.0", "force": True}, '"force" needs a "reason"'),
    ],
)
def test_it_is_refused_with_the_field_named(kind: type[requests.Request], body: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        kind.model_validate(body)


def test_to_supersede_is_a_wish_of_the_plan_too() -> None:
    body = requests.DeployRequest.model_validate({"release": "1.1.0", "supersede": True})
    assert body.wanted() == PlanRequest("1.1.0", supersede=True)
