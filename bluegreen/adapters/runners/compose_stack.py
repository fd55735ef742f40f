"""A project as a release makes it: what compose is told, in files that are written for it, and what it reads in them.

Two files are written beside each other on the colour's host, readable for its user alone. NAME.env holds the colour's
own files of variables, the images (KRATOS_IMAGE), the release's variables and RELEASE, later ones over earlier ones:
one file, since podman-compose reads one. NAME.release.json comes as the last -f (JSON is YAML): the images of the
release, and labels that tell what a container was made of. By them another release, or other variables, make new
containers, and the same release leaves alone what runs, whatever the tool itself compares.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bluegreen.adapters.runners.compose_call import Call
from bluegreen.adapters.runners.compose_config import ServiceConfig, services_of
from bluegreen.adapters.runners.compose_containers import RELEASE, STAMP
from bluegreen.adapters.runners.compose_tool import Tool
from bluegreen.domain.errors import OutsideError
from bluegreen.domain.parts import image_variable
from bluegreen.domain.plans import Release
from bluegreen.processes import INHERITED, VALUE

NAME = re.compile(r"(?!LD_|COMPOSE_|DOCKER_|PODMAN_|CONTAINERS?_|BUILDAH_|REGISTRY_)[A-Za-z_][A-Za-z0-9_]*")
"""A release's variable. What steers the loader (ld.so(8)), compose or an engine is not a release's business."""

USUAL = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
OVER = ("compose.override.yaml", "compose.override.yml", "docker-compose.override.yml", "docker-compose.override.yaml")
"""What compose finds by itself: the first of each."""

OURS = {"COMPOSE_REMOVE_ORPHANS": "false"}
"""Over a colour's own file of variables: what the files no longer name is removed by us, and never where users are."""

FIRST_THERE = 'for f; do if [ -e "$f" ]; then printf "%s\\n" "$f"; exit 0; fi; done'

HOME = 'printf %s "${XDG_STATE_HOME:-$HOME/.local/state}/bluegreen"'


@dataclass(frozen=True, slots=True)
class Project:
    """What the configuration says of a colour's project. `written`: where files are written for it; None: under the
    home directory of the host's user."""

    name: str
    files: tuple[str, ...] = ()
    profiles: tuple[str, ...] = ()
    env_files: tuple[Path, ...] = ()
    live_only: tuple[str, ...] = ()
    written: Path | None = None


@dataclass(frozen=True, slots=True)
class Stack:
    """The project with one release: its services in the order in which they start, and the command that makes it."""

    argv: tuple[str, ...]
    services: Mapping[str, ServiceConfig]
    stamp: str


async def stack_of(call: Call, tool: Tool, project: Project, release: Release) -> Stack:
    """Write what compose is told of a release, and read what it makes of it; start nothing. Raises RunnerFailed."""
    variables = _variables(call, release)
    env = await _own_variables(call, project)
    env += "".join(f"{name}={_quoted(value)}\n" for name, value in variables.items())
    where = project.written or Path(await call.told(["sh", "-c", HOME], "where files can be written"))
    env_file, release_file = where / f"{project.name}.env", where / f"{project.name}.release.json"
    await _write(call, env_file, f"# Written by bluegreen for {release.version}: changes are lost.\n{env}")
    files = project.files or await _usual_files(call)
    base = [*tool.argv, "-p", project.name, "--env-file", str(env_file)]
    base += [word for profile in project.profiles for word in ("--profile", profile)]
    base += [word for file in files for word in ("-f", file)]
    call.variables = {**variables, **OURS}
    services = await _services(call, tool, base, project, release)
    stamp = _stamp(env, release)
    labels = {STAMP: stamp, RELEASE: release.version}
    over = {name: {"labels": labels} | _image(release, name) for name in services}
    await _write(call, release_file, json.dumps({"services": over}, indent=1))
    return Stack((*base, "-f", str(release_file)), services, stamp)


def _variables(call: Call, release: Release) -> dict[str, str]:
    """What a release's containers may be told. Raises RunnerFailed for what it may not set."""
    if not VALUE.fullmatch(release.version):
        why = "its version must be 1 to 64 of A-Z a-z 0-9 . _ - (no . or - first)"
        raise call.failed(f"release {release.version!r} cannot be brought up: {why}")
    hosts = {*INHERITED, *call.place.passed}
    refused = [name for name in release.variables if name in hosts or not NAME.fullmatch(name)]
    if refused:
        names = ", ".join(map(repr, sorted(refused)))
        why = "use A-Z a-z 0-9 _, and no name that the host, compose or an engine is told by"
        raise call.failed(f"release {release.version} may not set {names}: {why}")
    if broken := sorted(name for name, value in release.variables.items() if re.search(r"[\0\n\r]", value)):
        raise call.failed(f"release {release.version} may not set {', '.join(broken)} to more than one line")
    images = {image_variable(part): image for part, image in release.images.items()}
    return {**images, **release.variables, "RELEASE": release.version}


async def _own_variables(call: Call, project: Project) -> str:
    """The text of the colour's own files; without any, that of the .env which compose would read."""
    texts = []
    for file in project.env_files or (Path(".env"),):
        path = (call.place.directory or Path()) / file
        try:
            texts.append((await call.place.host.read(path)).decode(errors="surrogateescape").rstrip("\n") + "\n")
        except FileNotFoundError as exc:
            if project.env_files:
                raise call.failed(f"{path}, a file of variables, is not there", next=(f"ls -l {path}",)) from exc
        except OutsideError as exc:
            raise call.failed(exc.detail, next=(f"ls -l {path}",)) from exc
    return "".join(texts)


async def _usual_files(call: Call) -> tuple[str, ...]:
    found: list[str] = []
    for names in (USUAL, OVER):
        found += (await call.told(["sh", "-c", FIRST_THERE, "sh", *names], "its directory")).split()
        if not found:
            where = call.place.directory or "the working directory"
            key = f'[environments.{call.place.colour}.compose] files = ["compose.yaml"]'
            raise call.failed(f"no compose file is in {where} ({', '.join(USUAL)})", next=(key,))
    return tuple(found)


async def _write(call: Call, path: Path, text: str) -> None:
    try:
        await call.place.host.write(path, text.encode(errors="surrogateescape"), mode=0o600)
    except OutsideError as exc:
        key = f"[environments.{call.place.colour}.compose] written"
        raise call.failed(f"{path} cannot be written: {exc.detail}", next=(f"ls -ld {path.parent}", key)) from exc


async def _services(
    call: Call, tool: Tool, base: Sequence[str], project: Project, release: Release
) -> dict[str, ServiceConfig]:
    options = () if tool.prints_yaml else ("--format", "json")
    text = await call.told([*base, "config", *options], "its compose files cannot be read")
    try:
        found = services_of(text, yaml=tool.prints_yaml)
    except ValueError as exc:
        raise call.failed(f"what {tool} made of its compose files cannot be read: {exc}") from exc
    names = ", ".join(found)
    if strange := [name for name in release.images if name not in found]:
        why = f"release {release.version} names an image for {', '.join(strange)}"
        raise call.failed(f"{why}, which is no service of the compose files (with these profiles there are: {names})")
    if strange := [name for name in project.live_only if name not in found]:
        raise call.failed(
            f"{', '.join(strange)}, which is live-only, is no service of the compose files (there are: {names})"
        )
    services = {name: service.of(release.images.get(name, service.image)) for name, service in found.items()}
    for service in services.values():
        _check(call, service, project)
    return services


def _check(call: Call, service: ServiceConfig, project: Project) -> None:
    if not service.image:
        why = f"{service.name} has no `image`: build it elsewhere, and name what was built"
        raise call.failed(why, next=(f"image: ${{{image_variable(service.name)}}}   (in the compose file)",))
    if service.name in project.live_only:
        return
    if waits := [other for other in service.depends_on if other in project.live_only]:
        why = f"{service.name} waits for {', '.join(waits)}, which is live-only and does not run beside the live colour"
        raise call.failed(why, next=(f"remove it from depends_on of {service.name}",))


def _image(release: Release, service: str) -> dict[str, str]:
    return {"image": release.images[service].replace("$", "$$")} if service in release.images else {}


def _stamp(env: str, release: Release) -> str:
    said = json.dumps([release.version, release.digest, dict(release.images), env])
    return hashlib.sha256(said.encode(errors="surrogateescape")).hexdigest()[:16]


def _quoted(value: str) -> str:
    """For compose run by hand: our own calls get the release's variables in their environment, to the letter."""
    if "'" in value or "\\" in value:
        return '"' + re.sub(r'(["\\$])', r"\\\1", value) + '"'
    return f"'{value}'"
