"""What all tests may use."""

pytest_plugins = ["tests.real_parts"]
