"""The images of a project: all of them are there before anything starts."""

from collections.abc import Sequence

from bluegreen.adapters.runners.compose_engine import Engine
from bluegreen.adapters.runners.compose_stack import Stack


async def images_of(engine: Engine, stack: Stack, names: Sequence[str], pull: str) -> dict[str, str]:
    """The id of each service's image, pulled as `pull` says: "always", "missing" or "never". Raises RunnerFailed where
    one is not there and cannot be had, with the registry's words."""
    had: dict[str, str] = {}
    for name in names:
        image = stack.services[name].image
        if image not in had:
            had[image] = await _image(engine, image, name, pull)
    return {name: had[stack.services[name].image] for name in names}


async def _image(engine: Engine, reference: str, name: str, pull: str) -> str:
    found = None if pull == "always" else await engine.image(reference)
    if found is None and pull == "never":
        why = f"image {reference} of {name} is not there, and nothing is to be pulled"
        raise engine.call.failed(why, next=(f"{' '.join(engine.tool.engine)} pull {reference}",))
    if found is None:
        await engine.pull(reference, f"image {reference} of {name} cannot be pulled")
        found = await engine.image(reference)
    if found is None:
        raise engine.call.failed(f"image {reference} of {name} was pulled, and is not there")
    return found.id
