"""The engine behind compose, docker or podman: what there is of a project, and how it is stopped and removed.

What is there is found by compose's labels, never by files: a project can be stopped whose files are gone, and nothing
of another project is touched. Exit codes are not relied on: what is left is looked at.
"""

from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress

from bluegreen.adapters.runners.compose_call import Call, cleaned, last_words
from bluegreen.adapters.runners.compose_containers import PROJECT, Container, Image, containers_of, image_of
from bluegreen.adapters.runners.compose_tool import Tool
from bluegreen.domain.errors import RunnerFailed

LOOKS = 3
"""Tries to describe containers: one may vanish between the list and its description."""


class Engine:
    """The engine, for one call, and one project."""

    def __init__(self, call: Call, tool: Tool, project: str) -> None:
        self.call, self.tool, self.project = call, tool, project

    async def containers(self) -> tuple[Container, ...]:
        """All containers of the project, also those that do not run. Raises RunnerFailed."""
        for look in range(LOOKS):
            ids = (
                await self._told("ps", "-a", "-q", "--no-trunc", "--filter", f"label={PROJECT}={self.project}")
            ).split()
            if not ids:
                return ()
            try:
                return self._read(await self._told("container", "inspect", *ids))
            except RunnerFailed:
                if look == LOOKS - 1:
                    raise
        return ()

    def _read(self, text: str) -> tuple[Container, ...]:
        try:
            return containers_of(text)
        except ValueError as exc:
            raise self.call.failed(str(exc)) from exc

    async def owner(self, name: str) -> str | None:
        """The project of the container that bears a name; "" of none, None where there is no such container."""
        ran = await self.call.asked(
            [*self.tool.engine, "container", "inspect", "--format", "{{json .Config.Labels}}", name]
        )
        if ran is None or ran.code != 0:
            return None
        _, found, rest = ran.output.partition(f'"{PROJECT}":"')
        return rest.partition('"')[0] if found else ""

    async def image(self, reference: str) -> Image | None:
        """An image that is there; None where it is not."""
        ran = await self.call.asked([*self.tool.engine, "image", "inspect", reference])
        if ran is None or ran.code != 0:
            return None
        start = ran.output.find("\n[")
        try:
            return image_of(ran.output[start + 1 :] if start >= 0 and not ran.output.startswith("[") else ran.output)
        except ValueError as exc:
            raise self.call.failed(f"image {reference}: {exc}") from exc

    async def pull(self, reference: str, what: str) -> None:
        """Pull an image. Raises RunnerFailed with the registry's words; `what` begins the complaint."""
        await self.call.must([*self.tool.engine, "pull", "--quiet", reference], what)

    async def start(self, containers: Iterable[Container]) -> None:
        """Start containers. Raises RunnerFailed naming the first that cannot be started."""
        for container in containers:
            argv = [*self.tool.engine, "start", container.id]
            await self.call.must(argv, f"{container.part} was not started", leave=True, changes=True)

    async def healthy(self, container: Container) -> tuple[bool, str]:
        """Run a container's health check once: whether it passed, and what it said."""
        ran = await self.call.asked([*self.tool.engine, "healthcheck", "run", container.id])
        if ran is None:
            return False, "the engine could not be asked"
        lines = [line for line in cleaned(ran.output).splitlines() if line.strip() and "level=" not in line]
        return ran.code == 0, lines[-1].strip() if lines else ""

    async def stop(self, containers: Sequence[Container], seconds: float) -> None:
        """Stop containers side by side, each killed after so many seconds; how that went is looked at by the caller."""
        if ids := [container.id for container in containers if container.runs]:
            with suppress(RunnerFailed):
                await self.call.run([*self.tool.engine, "stop", "-t", str(max(1, round(seconds))), *ids], changes=True)

    async def remove(self, containers: Sequence[Container], seconds: float) -> None:
        """Stop containers and remove them, with what they hold in volumes of no name. Raises RunnerFailed naming what
        cannot be removed."""
        if not containers:
            return
        await self.stop(containers, seconds)
        ids = [container.id for container in containers]
        words = ""
        try:
            ran = await self.call.run([*self.tool.engine, "rm", "--force", "--volumes", *ids], changes=True)
            words = last_words(ran) if ran.code != 0 else ""
        except RunnerFailed as exc:
            words = exc.detail.partition(" failed: ")[2]
        if left := [container.part for container in await self.containers() if container.id in ids]:
            raise self.call.failed(f"{', '.join(left)} cannot be stopped and removed: {words}")

    async def remove_networks(self, kept: Collection[Container] = ()) -> None:
        """Remove the project's networks and pod; containers that are kept lose their link. What others still use
        stays, and is told in the output."""
        engine = self.tool.engine
        names = (
            await self._told("network", "ls", "--filter", f"label={PROJECT}={self.project}", "--format", "{{.Name}}")
        ).split()
        for container in kept:
            for name in container.networks:
                if name in names:
                    await self.call.asked([*engine, "network", "disconnect", "--force", name, container.id])
        if names:
            await self.call.run([*engine, "network", "rm", *names], changes=True)
        if self.tool.prints_yaml and not kept:
            await self.call.asked([*engine, "pod", "rm", "--force", "--ignore", f"pod_{self.project}"])

    async def keep_stopped(self, containers: Sequence[Container], seconds: float) -> None:
        """Stop containers for good: no policy of theirs starts them again. podman before 5 has none to change."""
        for container in containers:
            await self.call.asked([*self.tool.engine, "update", "--restart=no", container.id])
        await self.stop(containers, seconds)

    async def log(self, container: Container, lines: int, *options: str) -> list[str]:
        """The last lines of a container's log; why they cannot be read where that is so."""
        ran = await self.call.asked([*self.tool.engine, "logs", "--tail", str(lines), *options, container.id])
        if ran is None:
            return ["(its log cannot be read)"]
        return cleaned(ran.output).splitlines()[-lines:]

    async def _told(self, *words: str) -> str:
        return await self.call.told([*self.tool.engine, *words], f"{self.tool.engine[-1]} {words[0]}")
