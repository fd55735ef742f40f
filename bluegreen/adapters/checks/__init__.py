"""Checks: questions asked of one colour at its own addresses, before users can see it and after.

All siblings pass one contract suite: whatever the colour answers, or does not answer, is a result within the
check's own budget and never an exception; its detail says what was expected and what came, and holds no
secret.
"""
