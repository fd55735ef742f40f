"""The variables that the colours are given, and the fingerprints by which they are compared. A value never leaves."""
