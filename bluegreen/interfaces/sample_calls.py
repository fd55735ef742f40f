"""The route of a deployment's samples, called."""

from collections.abc import Callable

import aiohttp

from bluegreen.interfaces.connection import CONNECT_BUDGET, STREAM_SILENCE, Connection, refuse_problem, unanswered


class SampleCalls(Connection):
    """One method a route."""

    async def samples(self, id: str, take: Callable[[bytes], object]) -> None:
        """Everything that counted in a deployment's trial, given to `take` piece by piece as it comes."""
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_BUDGET, sock_read=STREAM_SILENCE)
        try:
            async with self._open.get(f"/v1/deployments/{id}/samples", timeout=timeout) as answer:
                await refuse_problem(answer)
                async for piece in answer.content.iter_any():
                    take(piece)
        except (aiohttp.ClientError, OSError, TimeoutError) as exc:
            raise unanswered(exc, self.socket) from exc
