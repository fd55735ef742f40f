"""What the tests on the platform may use: engines of containers, each started once for the whole run.

What is missing here skips its tests and says why (parts.py).
"""
