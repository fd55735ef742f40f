"""The command line: one file per group of verbs. A verb's file is imported when the verb is typed, not before."""

from bluegreen.interfaces.cli.verbs import bluegreen

__all__ = ["bluegreen"]
