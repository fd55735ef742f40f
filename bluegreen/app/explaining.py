"""The use case behind `explain`: the verdict of the deployment that runs, or the last one of one that ran."""

import msgspec

from bluegreen.app.desk import Desk
from bluegreen.app.explanation import FACT, explanation
from bluegreen.app.requests import Explanation
from bluegreen.domain.deployments import Deployment
from bluegreen.domain.errors import NotFound


class Explaining(Desk):
    """Says why a verdict is what it is. Changes nothing."""

    async def explain(self, id: str) -> Explanation:
        """The arithmetic of a deployment's verdict. Raises NotFound where there was none, saying why."""
        deployment = await self.deployment(id)
        run = self._engine.run
        if run is not None and run.deployment.id == deployment.id:
            now = explanation(run)
            if now is not None:
                return now
        kept = deployment.facts.get(FACT)
        if kept is None:
            raise NotFound(_why_none(deployment), next=(f"bluegreen show {deployment.id}",))
        return msgspec.convert(kept, Explanation)


def _why_none(deployment: Deployment) -> str:
    if deployment.moved:
        return f"no verdict of {deployment.id} was kept: it was left before users were watched"
    return f"{deployment.id} is {deployment.phase}: users have not met the release, so nothing was judged"
