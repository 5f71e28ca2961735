"""What the business reads: features, segments, cohorts, daily health and the customer 360.

Here: pure functions from silver (and other gold) DataFrames to gold DataFrames, one module a
table, and ``purchases``, the one definition of a purchase that the models share. Everything with
an ``as_of`` uses only what happened on or before that business day. Not here: reading or writing
tables (``lakehouse``), training and scoring (``models``).
"""
