"""How the move of the live-only parts stands in this life of the daemon; a deployment's run holds it."""

import asyncio


class Following:
    """`settled`: they are where users are. `failed`: why the attempts were given up; empty where they were not.
    `doing`: what is done now, in words."""

    def __init__(self) -> None:
        self.settled = False
        self.failed = ""
        self.doing = ""
        self.task: asyncio.Task[None] | None = None
        """Who moves them, or did; it may still be ending while the way back has begun."""

    def begin(self, task: asyncio.Task[None]) -> None:
        """Somebody moves them from now on."""
        self.task, self.failed = task, ""

    def leave(self) -> None:
        """Break it off, without waiting for its end."""
        if self.task is not None:
            self.task.cancel()

    def settle(self) -> None:
        """They have arrived."""
        self.settled, self.failed, self.doing = True, "", ""
