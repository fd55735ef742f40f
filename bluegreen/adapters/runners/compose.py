"""A colour that is a compose project of its own, run by docker compose or podman-compose.

Compose reads its files and makes the containers (`config`, `up --no-start`); the engine is asked for everything else,
by the project's labels. Nothing is started before every image is there. What is killed in the middle leaves containers
that the next `up` or `down` settles, since both look at what there is first.
"""

from collections.abc import Callable, Mapping, Sequence

from bluegreen.adapters.runners.compose_call import Call, Place
from bluegreen.adapters.runners.compose_containers import STAMP, Container
from bluegreen.adapters.runners.compose_engine import Engine
from bluegreen.adapters.runners.compose_images import images_of
from bluegreen.adapters.runners.compose_leftovers import gave_up
from bluegreen.adapters.runners.compose_reading import log_lines, parts_of
from bluegreen.adapters.runners.compose_stack import Project, Stack, stack_of
from bluegreen.adapters.runners.compose_start import NotStarted, Starting
from bluegreen.adapters.runners.compose_tool import Tool, tool_of
from bluegreen.domain.errors import RunnerFailed
from bluegreen.domain.parts import Part
from bluegreen.domain.plans import Release
from bluegreen.processes import fill

SETTLES = 1.0
"""Seconds that a container without a health check has to last."""

LOOK = 30.0
"""Seconds for a look at what runs, and for its log."""


class ComposeRunner:
    """The Runner port on a compose project."""

    def __init__(
        self,
        place: Place,
        project: Project,
        *,
        tool: Sequence[str] = (),
        pull: str = "missing",
        stop_timeout: float = 30.0,
        timeout: float = 300.0,
        settles: float = SETTLES,
        logs: Sequence[str] = (),
        slices: Sequence[Sequence[str]] = (),
        started: Callable[[], None] | None = None,
    ) -> None:
        """`tool`: the command that is compose, () to look for one; `pull`: "always", "missing" or "never"; seconds:
        `stop_timeout` for a container, `timeout` for a whole call; `logs`, `slices`: commands instead of the
        containers' logs, and that each stop a part; `started` is told when `up` has succeeded."""
        self.live_only = project.live_only
        self._place, self._project, self._named = place, project, tuple(tool)
        self._pull, self._stop, self._timeout, self._settles = pull, stop_timeout, timeout, settles
        self._logs, self._slices = tuple(logs), tuple(tuple(argv) for argv in slices)
        self._started = started
        self._tool: Tool | None = None
        self._failed: frozenset[str] = frozenset()
        """Ids of the containers that the last `up` failed with."""

    @property
    def slices(self) -> int:
        """How many commands stop a part."""
        return len(self._slices)

    async def prepare(self, release: Release) -> str:
        """Ensure compose can read its files and every image of the release is there, pulled if need be."""
        call = Call(self._place, "prepare", self._timeout)
        engine = await self._engine(call)
        stack = await self._stack(engine, release)
        images = await images_of(engine, stack, [*stack.services], self._pull)
        said = [f"{name}: {stack.services[name].image} is there ({id})" for name, id in images.items()]
        return "\n".join([f"{engine.tool}, project {self._project.name}", *said, ""])

    async def up(self, release: Release, *, live_only: bool = False) -> str:
        """Make the containers, start them in their order, and wait until each is healthy or has lasted."""
        call = Call(self._place, "up", self._timeout)
        engine = await self._engine(call)
        stack = await self._stack(engine, release)
        names = [name for name in stack.services if (name in self.live_only) is live_only]
        images = await images_of(engine, stack, names, "never" if self._pull == "never" else "missing")
        before = await engine.containers()
        starting = Starting(engine, stack.services, self._settles)
        stale = [one for one in before if self._is_stale(one, names, stack, images, starting)]
        if live_only:  # the colour serves: what is none of them is nobody's to touch
            stale = [one for one in stale if one.service in names]
        try:
            await engine.remove(stale, self._stop)
            same = {one.service for one in before if one not in stale and one.runs}
            if names:
                argv = [*stack.argv, "up", "--no-start", "--no-deps", "--no-build", "--pull", "never", *names]
                await call.must(argv, f"{engine.tool} did not make the containers", changes=True)
            await starting.run(names)
        except (NotStarted, RunnerFailed) as exc:
            self._failed = frozenset(one.id for one in exc.failed) if isinstance(exc, NotStarted) else frozenset()
            older = {one.id for one in before if one not in stale}
            raise await gave_up(engine, exc, names, older, self._stop) from exc
        self._failed = frozenset()
        if self._started is not None:
            self._started()
        told = [f"{name} runs {release.version} already" for name in names if name in same]
        return "\n".join([*told, *([] if names and same >= {*names} else [f"started {release.version}"]), ""])

    def _is_stale(
        self, one: Container, names: Sequence[str], stack: Stack, images: Mapping[str, str], starting: Starting
    ) -> bool:
        """Whether a container is none of this release, or the rest of an attempt that failed."""
        if one.service not in stack.services:
            return not one.one_off
        if one.service not in names or one.one_off:
            return False
        if one.labels.get(STAMP) != stack.stamp or one.image_id != images.get(one.service):
            return True
        return not one.runs and not one.is_new and not (starting.is_job(one) and one.is_done)

    async def down(self, *, live_only: bool = False) -> str:
        """Stop and remove the project's containers, then its networks; never a volume that has a name. What an `up`
        failed with just before is left once more, stopped, for whoever wants to know why."""
        call = Call(self._place, "down", self._timeout)
        engine = await self._engine(call)
        found = await engine.containers()
        spared = [one for one in found if one.id in self._failed and not one.runs]
        gone = [one for one in found if one not in spared and (not live_only or one.service in self.live_only)]
        await engine.remove(gone, self._stop)
        if not live_only:
            await engine.remove_networks(spared)
            self._failed = frozenset()
        return "stopped\n"

    async def stop_slice(self, number: int) -> str:
        """Run the command of one slice."""
        call = Call(self._place, f"slices[{number}]", self._timeout)
        argv = fill(self._slices[number], colour=self._place.colour)
        return (await call.must(argv, argv[0], changes=True)).output

    async def logs(self, lines: int) -> str:
        """The last lines of all containers, in the order in which they were written; those of a configured command."""
        call = Call(self._place, "logs", LOOK)
        if self._logs:
            argv = fill(self._logs, colour=self._place.colour)
            return "\n".join((await call.must(argv, argv[0])).output.splitlines()[-lines:])
        engine = await self._engine(call)
        return "\n".join(await log_lines(engine, lines)) or f"no container of {self._project.name} has said anything"

    async def parts(self) -> tuple[Part, ...]:
        """All containers, but those that `compose run` made by hand."""
        return await parts_of(await self._engine(Call(self._place, "parts", LOOK)))

    async def _engine(self, call: Call) -> Engine:
        if self._tool is None:
            self._tool = await tool_of(call, self._named)
        return Engine(call, self._tool, self._project.name)

    async def _stack(self, engine: Engine, release: Release) -> Stack:
        stack = await stack_of(engine.call, engine.tool, self._project, release)
        for service in stack.services.values():
            owner = await engine.owner(service.container_name) if service.container_name else self._project.name
            if owner not in {None, self._project.name}:
                why = (
                    f"container_name {service.container_name} of {service.name} is taken by project {owner or '(none)'}"
                )
                next = (f"remove container_name of {service.name}: two colours cannot both have it",)
                raise engine.call.failed(why, next=next)
        return stack
