"""The roles and tablespaces of the server, beside the dump: a dump names owners, and a new server knows none of them.

They are written by pg_dumpall after the dump, in no snapshot. Without them a backup is still one of all rows, so what
fails here is written into the manifest and fails nothing.
"""

import asyncio
from pathlib import Path
from typing import Any

from bluegreen.adapters.backups.comparison import own
from bluegreen.adapters.backups.shelf import Shelf
from bluegreen.adapters.postgres.connections import Access
from bluegreen.adapters.postgres.dump import Dumper
from bluegreen.domain.errors import BackupFailed


async def write(access: Access, dumper: Dumper, shelf: Shelf, partial: Path) -> dict[str, Any]:
    """Write the file for the dump that is now called `partial`; what the manifest says of it."""
    try:
        async with access.session(failure=BackupFailed) as connection:
            passwords = bool(await connection.fetchval(own("may_read_passwords")))
        file = await asyncio.to_thread(shelf.begin_globals, partial)
        await dumper.globals(access.dsn, file, passwords=passwords)
        digest, size = await asyncio.to_thread(shelf.seal, file)
    except BackupFailed as exc:
        return {"problem": exc.detail}
    return {"file": file.with_suffix("").name, "sha256": digest, "size": size, "role_passwords": passwords}
