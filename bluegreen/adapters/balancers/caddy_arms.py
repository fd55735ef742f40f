"""What stands in Caddy's configuration where an operator's `reverse_proxy` stood: a route with an arm for each place
that users can be sent to. (Package A builds it.)
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bluegreen.domain.traffic import Colour, Service, Split


@dataclass(frozen=True, slots=True)
class Style:
    """What the configuration says of arms. Seconds; None: Caddy's own default.

    `pointer`: the file that chooses, None in mode "rewrite"; `shares` (of 1) of the canary's steps; `cookie_domain`
    None: the cookie is the host's own; `preview`: the secret that leads to the idle colour, None without one.
    """

    pointer: Path | None = None
    shares: Sequence[float] = ()
    cookie_domain: str | None = None
    preview: str | None = None
    fallback: bool = False
    response_header_timeout: float | None = None
    stream_close_delay: float | None = None


def pointer_arms(service: Service, original: Mapping[str, Any], style: Style, live: Colour) -> dict[str, Any]:
    """The handler that replaces `original` in mode "pointer"."""
    raise NotImplementedError


def split_arms(
    service: Service, original: Mapping[str, Any], style: Style, split: Split, generation: int, first: int = 1
) -> dict[str, Any]:
    """The handler that replaces `original` in mode "rewrite" while users are shared out."""
    raise NotImplementedError


def fallback_proxy(
    service: Service, original: Mapping[str, Any], style: Style, colour: Colour, generation: int, first: int = 1
) -> dict[str, Any]:
    """`original` dialling `colour`, then the other one where that does not answer."""
    raise NotImplementedError
