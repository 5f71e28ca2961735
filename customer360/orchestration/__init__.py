"""Everything that knows Dagster: assets, checks, partitions, jobs, schedules, sensors, resources.

Here: wiring. The work of an asset is a function of ``pipeline``, which this package calls and
reports on. Nothing outside this package imports ``dagster``.
"""
