"""A daemon that fills rows and is killed at one question of its filling session to the server:
`killed_filling.py DSN HOME BIN_DIR NUMBER before|during|after`. `during`: the question is sent and its answer not read.
"""

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any

import asyncpg

from tests.adapters.migrations.fills import fill
from tests.adapters.sites import Site

QUESTIONS = ("execute", "fetch", "fetchrow", "fetchval")


class Death:
    """Comes at the question with this number."""

    def __init__(self, number: int, moment: str) -> None:
        self.left, self.moment = number, moment

    def watch(self, name: str) -> None:
        """Have every question of this kind counted."""
        asking = getattr(asyncpg.Connection, name)

        async def asked(connection: Any, *arguments: Any, **options: Any) -> Any:
            if not connection._params.server_settings["application_name"].startswith("bluegreen app/"):
                return await asking(connection, *arguments, **options)
            self.left -= 1
            if self.left == 0 and self.moment == "before":
                os.kill(os.getpid(), signal.SIGKILL)
            if self.left == 0 and self.moment == "during":
                asyncio.get_running_loop().call_later(0.0, os.kill, os.getpid(), signal.SIGKILL)
            answer = await asking(connection, *arguments, **options)
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return answer

        setattr(asyncpg.Connection, name, asked)


async def main(dsn: str, home: str, bin_dir: str, number: str, moment: str) -> None:
    death = Death(int(number), moment)
    for name in QUESTIONS:
        death.watch(name)
    await fill(Site(dsn, Path(home), Path(bin_dir)))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
