"""The route of `bluegreen env check`, called."""

from bluegreen.app.upkeep_answers import VariableCheck
from bluegreen.interfaces.connection import Connection, Reply

BUDGET = 60.0
"""Seconds: the files of both colours may lie on machines that do not answer, which the daemon bounds."""


class VariableCalls(Connection):
    """One method a route."""

    async def check_variables(self, release: str = "") -> Reply[VariableCheck]:
        """Compare the variables of the idle colour."""
        body = {"release": release} if release else {}
        return await self._post("/v1/variables/check", VariableCheck, body, budget=BUDGET)
