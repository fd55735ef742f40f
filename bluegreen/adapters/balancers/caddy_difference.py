"""Where two readings of Caddy's configuration differ: the places that somebody else changed, and never what stands
there, since it may be a secret.
"""

from collections.abc import Iterator
from itertools import islice

from bluegreen.adapters.balancers.caddy_routes import Path
from bluegreen.adapters.balancers.endpoint import config_path
from bluegreen.domain.records import Json

MOST_NAMED = 3
"""Places named in one message."""


def foreign_change(before: Json, after: Json, path: Path) -> str:
    """Who changed what, as far as it can be told: the places below `path` that are different now."""
    places = list(islice(_differing(before, after, path), MOST_NAMED + 1))
    named = ", ".join(config_path(place) for place in places[:MOST_NAMED]) or "Caddy's configuration, and back again,"
    more = " and more" if len(places) > MOST_NAMED else ""
    return f"Somebody else changed {named}{more} between our read and our write."


def _differing(before: Json, after: Json, path: Path) -> Iterator[Path]:
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted({*before, *after}):
            if key not in before or key not in after:
                yield (*path, key)
            else:
                yield from _differing(before[key], after[key], (*path, key))
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (a, b) in enumerate(zip(before, after, strict=True)):
            yield from _differing(a, b, (*path, index))
    elif before != after:
        yield path
