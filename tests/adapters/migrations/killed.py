"""A daemon of one call, to be killed in the middle of it: `killed.py DSN HOME BIN_DIR apply|back_up`."""

import asyncio
import sys
from pathlib import Path

from tests.adapters.sites import Site


async def main(dsn: str, home: str, bin_dir: str, verb: str) -> None:
    site = Site(dsn, Path(home), Path(bin_dir))
    if verb == "apply":
        await site.apply()
    else:
        await site.database().back_up("d1", "1.1.0")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
