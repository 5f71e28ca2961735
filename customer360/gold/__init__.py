"""What the business reads: features, segments, cohorts, daily health and the customer 360.

Here: pure functions from silver (and other gold) DataFrames to gold DataFrames, one module a
table, and ``purchases``, the one definition of a purchase that the models share. Everything with
an ``as_of`` uses only what happened on or before that business day. Not here: reading or writing
tables (``lakehouse``), training and scoring (``models``).

A table that is made as of a date is one module and one contract, and nothing else names it. The
contract says what it reads (custom property ``reads``), how it is partitioned and what must hold of
its rows. The module of the table's name has the function ``snapshot``, from
`customer360.gold.snapshots.Inputs` to the table's rows. The step that makes it, its asset, checks,
copy in the warehouse and documentation follow.
"""
