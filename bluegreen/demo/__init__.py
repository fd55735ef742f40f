"""The embedded demonstration: a real Caddy, a real Postgres and a small sample application, all on loopback
and in one directory. Stands beside the floors: nothing but `__main__` and the tests imports it, and it knows
no adapter.
"""
