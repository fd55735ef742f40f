"""The story: how a deployment is planned, carried through its phases, watched and taken back.

Knows the domain and the ports; no adapter, no HTTP, no prose beyond reasons.
"""
