"""A machine with a real systemd, and the host of the README in it; the tests on it stand in tests/platform/."""
