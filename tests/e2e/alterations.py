"""What scenarios change of the stage between its set-up and the daemon's start."""

import re
from pathlib import Path

from bluegreen.demo.scenery import SITES
from bluegreen.demo.stack import Stack
from bluegreen.demo.stage import Stage


def without_databases(stage: Stage) -> None:
    """Deployments without backup and migrations: for scenarios that need many of them."""
    text = stage.config.read_text()
    for section in (r"\[\[databases\]\]", r"\[backup\]", r"\[\[migrations\]\]"):
        text = re.sub(rf"(?ms)^{section}\n.*?(?=^\[)", "", text)
    stage.config.write_text(text)


def configure(stage: Stage, section: str, line: str) -> None:
    """Add one line to a section of the configuration."""
    text = stage.config.read_text()
    assert f"[{section}]\n" in text
    stage.config.write_text(text.replace(f"[{section}]\n", f"[{section}]\n{line}\n", 1))


def messages_to(stage: Stage) -> Path:
    """Let the daemon send its messages to a file, one JSON object a line."""
    file = stage.directory / "messages.jsonl"
    file.touch()
    receiver = f'\n[[notify]]\nname = "team"\ncommand = ["sh", "-c", "cat >> {file}; echo >> {file}"]\n'
    stage.config.write_text(stage.config.read_text() + receiver.replace("command =", 'kind = "command"\ncommand ='))
    return file


def caddyfile_without_snippets(stage: Stage, colour: str) -> Path:
    """A Caddyfile that names the addresses of one colour itself: stale as soon as users are on the other."""
    stack, text = Stack.load(stage.sample), stage.caddyfile.read_text()
    for service in SITES:
        text = text.replace(f"import {stage.snippets}/{service}.caddy", f"to {stack.address(colour, service)}")
    file = stage.directory / f"Caddyfile.{colour}"
    file.write_text(text)
    return file


def without_snippets(stage: Stage) -> None:
    """The operator's Caddyfile names blue itself, and no snippet is kept. Before Caddy starts."""
    for file in stage.snippets.iterdir():
        file.unlink()


def stopping_lasts(stage: Stage) -> Path:
    """Let `down` of blue stop it, and then last as long as the file exists that is returned."""
    file = stage.directory / "stopping"
    words = f'touch {file}; \\"$@\\"; while [ -e {file} ]; do sleep 0.05; done'
    text = stage.config.read_text()
    stage.config.write_text(text.replace("down = [", f'down = ["sh", "-c", "{words}", "down", ', 1))
    return file
