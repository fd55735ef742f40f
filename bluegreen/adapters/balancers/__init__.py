"""Balancers: where users are sent. All siblings pass one contract suite."""
