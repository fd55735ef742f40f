"""What a backup by hand leaves when the daemon is killed in it: the next daemon removes that, as a deployment would."""

from bluegreen.app.news import News
from bluegreen.app.world import World
from bluegreen.domain.errors import JournalFailed, OutsideError

BY_HAND = "by-hand"
"""What stands in a backup's name where a deployment's id would stand."""

REMOVING = "what a backup by hand left is just being removed"


async def begun(world: World, purpose: str = BY_HAND) -> None:
    """Remember that a backup by hand is being taken. Raises JournalUnwritable."""
    await world.journal.keep("hand", "backup", purpose)


async def ended(world: World) -> None:
    """It left nothing. Raises JournalUnwritable."""
    await world.journal.forget("hand", "backup")


async def there(world: World, news: News) -> bool:
    """Whether an earlier daemon was killed in one."""
    try:
        return bool(await world.journal.fact("hand", "backup"))
    except JournalFailed as exc:
        news.failed(exc)
        return False


async def remove(world: World, news: News) -> None:
    """Remove it; where that fails, the next backup does so, and people are told."""
    try:
        purpose = await world.journal.fact("hand", "backup")
        for database in world.databases.values():
            await database.tidy(purpose if isinstance(purpose, str) else BY_HAND)
        await ended(world)
    except OutsideError as exc:
        await news.tell("backup.not_tidied", reason=exc.detail, severity="warning")
