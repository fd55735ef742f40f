"""A daemon of one rehearsal, to be killed in the middle of it: `rehearsed_and_killed.py DSN HOME BIN_DIR TOOL`."""

import asyncio
import sys
from pathlib import Path

from bluegreen.adapters.rehearsal.rules import RehearsalRules
from tests.adapters.rehearsal.stages import PHASES
from tests.adapters.sites import RELEASE, Site


async def main(dsn: str, home: str, bin_dir: str, script: str) -> None:
    site = Site(dsn, Path(home), Path(bin_dir))
    site.tool(script, timeout=60.0)
    await site.database(rehearsal=RehearsalRules()).rehearse(RELEASE, PHASES, "killed")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
