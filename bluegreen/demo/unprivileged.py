"""How root runs a program that refuses root.

`postgres` does not run as root, and `initdb` wants an account with a name. So root runs them in a user
namespace in which its own uid carries the number of an existing account (unshare(1), `--map-user`; the files
stay root's), else, where such namespaces are switched off, as that account.
"""

import os
import pwd
import shutil
from pathlib import Path

from bluegreen.demo.children import EmbeddedFailed
from bluegreen.processes import environment, run_command

ACCOUNTS = ("postgres", "daemon", "nobody")
"""Whom root becomes, the first that exists: a name to wear, nothing of theirs is touched."""


async def unprivileged(directory: Path, programs: Path) -> list[str]:
    """The argv prefix under which one of `programs` works on `directory`; nothing when we are not root.

    The directory and what is in it may be handed over to the account; nothing outside it is changed.
    EmbeddedFailed when neither a user namespace nor an account can be had.
    """
    if os.geteuid() != 0:
        return []
    account = _account()
    namespace = ["unshare", "--user", f"--map-user={account.pw_uid}", "--"]
    if shutil.which("unshare") and await _works([*namespace, "true"]):
        return namespace
    drop = ["setpriv", f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups", "--"]
    _hand_over(directory, account)
    if shutil.which("setpriv") and await _works([*drop, "ls", str(directory), str(programs)]):
        return drop
    raise EmbeddedFailed(
        f"Postgres does not run as root; user namespaces are off here, and {account.pw_name} cannot reach"
        f" {directory} and {programs}",
        next=("sysctl user.max_user_namespaces", "or run it as an ordinary user"),
    )


def _account() -> pwd.struct_passwd:
    for name in ACCOUNTS:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise EmbeddedFailed(f"Postgres does not run as root, and none of the accounts {', '.join(ACCOUNTS)} exists")


def _hand_over(directory: Path, account: pwd.struct_passwd) -> None:
    for path in (directory, *directory.rglob("*")):
        os.chown(path, account.pw_uid, account.pw_gid, follow_symlinks=False)


async def _works(argv: list[str]) -> bool:
    return (await run_command(argv, timeout=10.0, env=environment())).code == 0
