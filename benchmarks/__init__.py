"""What `make bench` measures, one noun a file: each prints one table and asserts nothing about time.

Every benchmark has a full size, of which docs/benchmarks.md keeps the last table, and a tiny one for the tests. Where
there is another way to do the same, it is measured in the same run.
"""
