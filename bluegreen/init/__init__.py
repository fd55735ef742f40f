"""`bluegreen init`: looks at what is there, and writes a configuration that passes `config check` as it stands.

It only reads: Caddy's admin endpoint, compose files, unit files, the names (never the values) of variables. Each guess
stands in the file with where it comes from, and what could not be found out with what was looked at. Nothing else on
the machine is changed, and `automation = "observe"` is on, so that the daemon changes nothing either.
"""

from bluegreen.init.output import Written, keep, next_steps
from bluegreen.init.survey import Wish, survey
from bluegreen.init.text import as_toml

__all__ = ["Wish", "Written", "as_toml", "keep", "next_steps", "survey"]
