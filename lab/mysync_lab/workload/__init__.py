"""Seeded random traffic for a source: a shop to look at, and tables made to break replication.

`shop` is what the demo shows. `order` has a table for each way in which the order of rows matters,
and `values` has every accepted column type with its odd values. `writers` runs either from several
threads at a bounded rate. One thread's statements depend on the seed alone; what several threads do
to the same rows depends on their interleaving too.
"""
