"""What an `up` that failed leaves: the containers that failed, stopped, until the next call; nothing else of it."""

from collections.abc import Collection, Sequence

from bluegreen.adapters.runners.compose_call import Call
from bluegreen.adapters.runners.compose_engine import Engine
from bluegreen.adapters.runners.compose_start import NotStarted
from bluegreen.domain.errors import RunnerFailed

LAST_WORDS = 20
"""Lines of a failed container's log that are kept."""

CLEAN = 60.0
"""Seconds, beside the time that containers have to end, in which the leftovers have to be removed."""

SHOWN = 300


async def gave_up(
    engine: Engine, why: NotStarted | RunnerFailed, names: Sequence[str], older: Collection[str], stop_timeout: float
) -> RunnerFailed:
    """The failure to be raised, once what the attempt left is removed. `names`: the services it was about; `older`: ids
    of containers that were there before and are none of its doing."""
    failed = why.failed if isinstance(why, NotStarted) else ()
    reason = why.why if isinstance(why, NotStarted) else why.detail.partition(" failed: ")[2] or why.detail
    call = Call(engine.call.place, engine.call.verb, CLEAN + 2 * stop_timeout)
    call.said = engine.call.said
    engine = Engine(call, engine.tool, engine.project)
    words = ""
    try:
        for one in failed:
            lines = await engine.log(one, LAST_WORDS)
            words = words or next((line.strip() for line in reversed(lines) if line.strip()), "")
            call.say("\n".join([f"-- the last lines of {one.part} ({one.name}):", *lines]))
        await engine.keep_stopped(failed, stop_timeout)
        kept = {*older, *(one.id for one in failed)}
        found = await engine.containers()
        await engine.remove([one for one in found if one.service in names and one.id not in kept], stop_timeout)
        if not any(one.runs for one in await engine.containers()):
            await engine.remove_networks(failed)
    except RunnerFailed as exc:
        call.say(f"what is left of it could not be removed: {exc.detail}")
    look = tuple(f"{' '.join(engine.tool.engine)} logs {one.name}" for one in failed)
    return call.failed(f"{reason}; it said: {words[:SHOWN]}" if words else reason, next=look)
