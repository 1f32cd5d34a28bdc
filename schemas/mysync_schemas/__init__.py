"""The contract: envelope, type mapping, keys and partitions, positions, control records, framing.

Pure: no I/O, no clock, no globals.
"""
