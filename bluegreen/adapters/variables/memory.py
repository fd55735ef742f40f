"""Variables that keep the port's contract in memory: for the tests of the app, and for trying things out."""

from dataclasses import dataclass, field

from bluegreen.adapters.variables.fingerprints import Fingerprints
from bluegreen.domain.env_text import EnvUnreadable, read_env
from bluegreen.domain.errors import VariablesUnreadable
from bluegreen.domain.plans import Release
from bluegreen.domain.traffic import Colour
from bluegreen.domain.variable_names import Rules
from bluegreen.domain.variables import Prints


@dataclass
class MemoryVariables:
    """`files` is the text that each colour is given; `unreadable` colours cannot be read."""

    files: dict[Colour, str] = field(default_factory=dict)
    rules: Rules = field(default_factory=Rules)
    unreadable: set[Colour] = field(default_factory=set)

    async def of(self, colour: Colour, release: Release | None = None) -> Prints | None:
        """As the file of that colour says now."""
        if colour in self.unreadable:
            raise VariablesUnreadable(f".env.{colour} does not exist", next=("ls -l",))
        if colour not in self.files:
            return None
        given = dict(self._read(self.files[colour]))
        return self._printed(given | (dict(release.variables) if release is not None else {}))

    async def example(self, text: str) -> Prints:
        """As an example says."""
        return self._printed(self._read(text, bare=True))

    def _read(self, text: str, *, bare: bool = False) -> dict[str, str]:
        try:
            found = read_env(text)
        except EnvUnreadable as exc:
            raise VariablesUnreadable(str(exc), next=("bluegreen env check",)) from exc
        return (dict.fromkeys(found.bare, "") if bare else {}) | dict(found.values)

    def _printed(self, values: dict[str, str]) -> Prints:
        taken = Fingerprints(b"a key that only tests have")
        return {name: taken.of(value) for name, value in values.items()}
