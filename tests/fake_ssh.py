"""A machine without ssh: the last word goes to a shell of this machine, as sshd hands it to a login shell."""

import shutil
from pathlib import Path

import pytest

from bluegreen.ssh import Ssh

SHELLS = ("dash", "bash", "busybox")

# As with ssh, what runs "there" is no child of what is ended here: it hears of that by its input alone.
FAKE = """\
#!/bin/sh
for word; do :; done
cd {home} && HOME={home} PATH={home}/bin:$PATH exec setsid --wait {shell} -c "echo welcome; $word"
"""


def fake(directory: Path, shell: str = "dash") -> Ssh:
    """A host whose login shell, and whose `sh`, is this one; it greets first, as a .bashrc may."""
    where = shutil.which(shell)
    if where is None:
        pytest.skip(f"{shell} is not installed")
    (directory / "bin").mkdir(parents=True, exist_ok=True)
    sh = directory / "bin" / "sh"
    sh.symlink_to(where)
    program = directory / "ssh"
    program.write_text(FAKE.format(home=directory, shell=sh))
    program.chmod(0o755)
    return Ssh("fake-host", user="deploy", program=(str(program),))
