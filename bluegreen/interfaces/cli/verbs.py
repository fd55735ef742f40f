"""The table of verbs that talk to the daemon, and the program that finds them."""

from importlib import import_module
from typing import Any

import click

from bluegreen.interfaces.cli.shell import Shell, global_options

TALKING = {
    "status": "looking",
    "plan": "deploying",
    "deploy": "deploying",
    "watch": "deploying",
    "promote": "steering",
    "abort": "steering",
    "cutback": "steering",
    "pause": "steering",
    "resume": "steering",
    "rollback": "deploying",
    "retry": "deploying",
    "resolve": "steering",
    "history": "looking",
    "show": "looking",
    "logs": "looking",
    "explain": "explaining",
    "migrate": "migrating",
    "backup": "backing_up",
    "caddy": "arming",
    "site": "sites",
    "env": "upkeep",
    "notify": "upkeep",
    "hook": "upkeep",
    "audit": "upkeep",
    "reload": "reloading",
}


class Verbs(click.Group):
    """The verbs by name; those of TALKING are imported when asked for."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params += global_options()

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order in which an operator meets them."""
        return [*TALKING, *self.commands]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The verb; None where there is none of this name."""
        if cmd_name not in TALKING:
            return super().get_command(ctx, cmd_name)
        module = import_module(f"bluegreen.interfaces.cli.{TALKING[cmd_name]}")
        found: click.Command = getattr(module, cmd_name)
        return found


@click.group("bluegreen", cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.pass_context
def bluegreen(context: click.Context) -> None:
    """Blue/green deployments behind Caddy: switch, watch, cut back."""
    context.ensure_object(Shell)
