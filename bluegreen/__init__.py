"""bluegreen: moves users between two environments behind Caddy, and back by itself when the new release is worse.

Floors, from the ground up; each imports only what is below it (held by tests/test_floors.py):
domain -> ports -> adapters and app (side by side) -> interfaces -> wiring, daemon, demo, __main__.
`processes`, `finishing`, `settings` and `logs` stand beside the floors and are named with their users in that test.
"""

__version__ = "0.1.0"
