"""Side-by-side measurements, run by ``make bench``: this pipeline and DuckDB on the same files.

Every measurement runs in a process of its own (``worker``), watched from outside (``meter``), and
says what it includes. ``duck`` is the same work written straight in DuckDB's SQL; ``agreement``
proves that both made the same gold. ``frames`` is one step of it in pandas and Polars: the features
of every customer.
"""
