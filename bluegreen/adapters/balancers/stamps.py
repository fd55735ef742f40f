"""Our generation on what Caddy dials: in the `@id` of an upstream, which Caddy hashes and otherwise ignores."""

import re

from bluegreen.domain.records import Json


def stamp(service: str, number: int, generation: int) -> str:
    """The `@id` of one upstream: it takes the generation into the hash that If-Match compares."""
    return f"bluegreen-{service}-{number}-g{generation}"


def generation_in(service: str, identity: Json) -> int | None:
    """The generation that an `@id` of this service carries; None for any other id."""
    found = re.fullmatch(rf"bluegreen-{re.escape(service)}-\d+-g(\d+)", identity) if isinstance(identity, str) else None
    return int(found[1]) if found else None
