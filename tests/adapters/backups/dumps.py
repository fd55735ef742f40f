"""What several tests of backups do: put a program of their own in place of pg_dump, and look at the directory."""

import shlex
from dataclasses import replace

from tests.adapters.sites import Site


def replace_pg_dump(site: Site, script: str, *, everything: bool = True) -> None:
    """In `script` $REAL is the real pg_dump and $FILE the dump it writes; without `everything` there is no
    pg_dumpall."""
    bin_dir = site.home / "bin"
    bin_dir.mkdir()
    real = site.bin_dir / "pg_dump"
    for program in ("pg_restore", "pg_dumpall") if everything else ("pg_restore",):
        (bin_dir / program).symlink_to(site.bin_dir / program)
    wrapper = bin_dir / "pg_dump"
    wrapper.write_text(
        f"#!/bin/bash\nREAL={shlex.quote(str(real))}\n"
        'if [ "$1" = --version ]; then exec "$REAL" --version; fi\n'
        'for word in "$@"; do case "$word" in --file=*) FILE="${word#--file=}";; esac; done\n'
        f"{script}\n"
    )
    wrapper.chmod(0o700)
    site.rules = replace(site.rules, bin_dir=bin_dir)


def files(site: Site) -> list[str]:
    """What lies in the directory of backups."""
    return sorted(path.name for path in site.backups.iterdir())
