"""Figures as people write them in a verdict: shares and odds."""


def percent(share: float) -> str:
    """A share of 1 as people write it: `3.2 %`, `0.3 %`, `100 %`."""
    value = 100.0 * share
    if 0.0 < value < 0.001:
        return "under 0.001 %"
    if value < 1.0:
        return f"{value:.2g} %"
    return f"{value:.1f}".removesuffix(".0") + " %"


def as_odds(wealth: float) -> str:
    """A wealth as odds against an innocent explanation: `1,840:1`."""
    if wealth > 1e9:
        return "over 1,000,000,000:1"
    return f"{wealth:,.0f}:1" if wealth >= 10.0 else f"{wealth:.2g}:1"
