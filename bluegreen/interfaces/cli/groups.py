"""Verbs under one word (`migrate status`), and the words that may follow them."""

import click

from bluegreen.interfaces import text
from bluegreen.interfaces.cli.shell import Verb, global_options


def group(name: str, help: str, *verbs: click.Command) -> click.Group:
    """Verbs under one word, each with the global options after it."""
    group = click.Group(name, help=help, commands=list(verbs))
    group.params += global_options()
    group.command_class = Verb
    return group


def word_of(word: str) -> str:
    """A name that may stand in a path; anything else is no name of ours, and would ask another question."""
    if not word or not all(character.isalnum() or character in "._-" for character in word):
        raise click.UsageError(f'"{text.clean(word)}" is not a name: it holds letters, digits, ., _ and - only')
    return word
