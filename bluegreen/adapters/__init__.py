"""The world outside, one family of adapters per port and one file per technology, with a memory sibling for
tests.

A family knows the ports and the domain, never another family; siblings share code only through their family's
own files. Only `wiring` and the tests import from here. One port is too big for one family: `database` joins
`migrations`, `backups` and `rehearsal`, which stand on `postgres`.
"""
