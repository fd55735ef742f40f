"""The verb `env check`: the variables of the colours, compared."""

import sys

from bluegreen.interfaces import variable_lines
from bluegreen.interfaces.cli.deploying import optional_release
from bluegreen.interfaces.cli.exits import Exit
from bluegreen.interfaces.cli.shell import Shell, verb


@verb("check")
@optional_release
def env_check(shell: Shell, release: str) -> None:
    """Compare the variables of the idle colour with RELEASE's example and with the live colour; no value is shown.

    Without RELEASE, for the one that is live. Ends with 6 where a deployment would be refused.
    """
    reply = shell.ask(lambda client: client.check_variables(release))
    shell.show(reply, variable_lines.check_lines)
    if not reply.value.passed:
        sys.exit(Exit.GATE)
