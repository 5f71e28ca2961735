"""All SQL of the dashboard: functions of a `Reading`, a module a page.

Every function reads at one moment and of one as-of date, puts what people type into parameters,
adds up in the database, and returns no more rows than a page shows or a chart draws.
"""
