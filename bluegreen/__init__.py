"""bluegreen: moves users between two environments behind Caddy, and back by itself when the new release is worse.

Floors, from the ground up; each imports only what is below it (held by tests/test_floors.py):
domain -> ports -> adapters and app (side by side) -> interfaces -> wiring, daemon, demo, __main__.
`processes`, `finishing`, `systemd`, `settings` and `logs` stand beside the floors; that test names their users.
"""

__version__ = "0.1.0"
