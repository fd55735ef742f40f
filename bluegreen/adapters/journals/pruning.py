"""Forgetting what is old, in one transaction: the file stays small, however many deployments there were.

SQLite uses the pages again that become free, so the file does not grow beyond what is kept.
"""

import sqlite3
from collections.abc import Mapping

from bluegreen.domain.phases import FINAL

OF_A_DEPLOYMENT = (
    "DELETE FROM intent WHERE deployment = :id",
    "DELETE FROM event WHERE deployment = :id",
    # Facts bear a deployment's id as their key, or begin with it and a colon (';' follows ':').
    "DELETE FROM fact WHERE key = :id OR (key >= :id || ':' AND key < :id || ';')",
    "DELETE FROM chunk WHERE key = :id",
    "DELETE FROM deployment WHERE id = :id",
)

OF_A_KIND = """
DELETE FROM fact WHERE kind = :kind
    AND seq <= (SELECT seq FROM fact WHERE kind = :kind ORDER BY seq DESC LIMIT 1 OFFSET :keep)
"""

OF_NO_DEPLOYMENT = """
DELETE FROM event WHERE deployment = ''
    AND seq <= (SELECT seq FROM event WHERE deployment = '' ORDER BY seq DESC LIMIT 1 OFFSET :keep)
"""


def prune(db: sqlite3.Connection, deployments: int, facts: Mapping[str, int], events: int) -> int:
    """Keep the latest of each; returns how many deployments were forgotten. One that has not ended stays."""
    old = db.execute(
        "SELECT id, phase FROM deployment WHERE seq <= (SELECT seq FROM deployment ORDER BY seq DESC LIMIT 1 OFFSET ?)",
        (deployments,),
    ).fetchall()
    ended = [id for id, phase in old if phase in FINAL]
    for id in ended:
        for statement in OF_A_DEPLOYMENT:
            db.execute(statement, {"id": id})
    for kind, keep in facts.items():
        db.execute(OF_A_KIND, {"kind": kind, "keep": keep})
    db.execute(OF_NO_DEPLOYMENT, {"keep": events})
    return len(ended)
