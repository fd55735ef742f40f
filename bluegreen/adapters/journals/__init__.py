"""Journals: what we want and what we did, kept where it survives kill -9. All siblings pass one contract suite."""
