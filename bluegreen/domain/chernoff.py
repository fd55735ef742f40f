"""How far a rate that was seen may lie from the true one: Chernoff's bound in its Kullback-Leibler form
(Garivier and Cappé 2011)."""

from math import inf, log, log1p

CLOSE = 1e-12


def divergence(p: float, q: float) -> float:
    """KL(p‖q) of two coins, in nats: the evidence that one event of rate p brings against rate q."""
    if p == q:
        return 0.0
    if (q <= 0.0 < p) or (q >= 1.0 > p):
        return inf
    heads = p * log(p / q) if p > 0.0 else 0.0
    tails = (1.0 - p) * (log1p(-p) - log1p(-q)) if p < 1.0 else 0.0
    return max(heads + tails, 0.0)


def highest_rate(p: float, n: int, delta: float) -> float:
    """The root u >= p of n·KL(p‖u) = ln(1/delta): the true rate exceeds it with probability at most delta."""
    budget = log(1.0 / delta) / n
    low, high = p, 1.0
    while high - low > CLOSE:
        middle = (low + high) / 2
        if divergence(p, middle) > budget:
            high = middle
        else:
            low = middle
    return high
