"""What is read of a project without changing it: its parts, its log, and how its log is followed."""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from bluegreen.adapters.runners.compose_containers import PROJECT, Container
from bluegreen.adapters.runners.compose_engine import Engine
from bluegreen.domain.parts import Part

STAMPED = re.compile(r"(\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d)) ?(.*)", re.DOTALL)

FOLLOW = """
project=$1; shift
if [ $# -eq 0 ]; then
    if docker compose version >/dev/null 2>&1; then set -- docker; else set -- podman; fi
fi
trap 'kill $pids 2>/dev/null' EXIT
trap 'exit 143' TERM INT HUP
tail=0 known= pids= failed=0
while :; do
    if ids=$("$@" ps -q --no-trunc --filter "label=LABEL=$project"); then failed=0; else
        failed=$((failed + 1))
        if [ $failed -gt 3 ]; then exit 1; fi
    fi
    for id in $ids; do
        pid=$(printf '%s\\n' $known | sed -n "s/^$id=//p" | tail -n 1)
        from=$tail
        if [ -n "$pid" ]; then
            if kill -0 "$pid" 2>/dev/null; then continue; fi
            from=0
        fi
        "$@" logs -f --tail $from "$id" & pids="$pids $!" known="$known $id=$!"
    done
    tail=-1
    sleep 1
done
""".replace("LABEL", PROJECT)
"""Follows the logs of a project's containers, also of those that come later, from their first line then. Compose's own
`logs -f` paints, tells of its own, and podman-compose's knows only those that are there."""


def follow_argv(project: str, engine: Sequence[str]) -> tuple[str, ...]:
    """The command that follows a project's log until it is ended; `engine` () looks for one."""
    return ("sh", "-c", FOLLOW, "follow", project, *engine)


async def log_lines(engine: Engine, lines: int) -> list[str]:
    """The last lines of all containers in the order of their time, each with its part."""
    found = await engine.containers()
    stamped: list[tuple[str, str]] = []
    for one in found:
        when = ""
        for line in await engine.log(one, lines, "--timestamps"):
            if match := STAMPED.match(line):
                when, line = match[1], match[2]
            stamped.append((when, f"{one.part} | {line}"))
    stamped.sort(key=lambda pair: pair[0])
    return [line for _, line in stamped[-lines:]]


async def parts_of(engine: Engine) -> tuple[Part, ...]:
    """What runs of a project. Where the engine leaves health checks to others, each is asked here."""
    found = [one for one in await engine.containers() if not one.one_off]
    if not engine.tool.checks_health:
        try:
            async with asyncio.TaskGroup() as group:
                asked = [group.create_task(_with_health(engine, one), name=f"health of {one.part}") for one in found]
        except ExceptionGroup as exc:
            raise exc.exceptions[0] from exc
        found = [task.result() for task in asked]
    digests: dict[str, str] = {}
    for one in found:
        if one.image_id not in digests:
            image = await engine.image(one.image_id)
            digests[one.image_id] = image.identity(one.image) if image is not None else one.image_id
    return tuple(one.as_part(digests[one.image_id]) for one in found)


async def _with_health(engine: Engine, one: Container) -> Container:
    if one.check is None or one.status != "running":
        return replace(one, health="")
    passed, said = await engine.healthy(one)
    if passed:
        return replace(one, health="healthy", said="")
    return replace(
        one, health="starting" if one.health == "starting" and not _is_overdue(one) else "unhealthy", said=said
    )


def _is_overdue(one: Container) -> bool:
    if one.started_at is None or one.check is None:
        return False
    return (datetime.now(UTC) - one.started_at).total_seconds() > one.check.patience
