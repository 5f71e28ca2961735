"""Customer Intelligence 360: raw customers and transactions in, a lakehouse and answers out.

The package is layered: ``sources`` land raw data, ``contracts`` say what it must look like,
``bronze``, ``silver`` and ``gold`` are pure functions over DataFrames, ``models`` learn from
gold and silver, ``lakehouse`` is the only writer of tables, and ``orchestration`` is the only
place that knows Dagster.
"""

__version__ = "0.1.0"
