"""Lifetime value: how often customers come back, what they spend, and how well we know it.

Here belong the declaration (``spec``), the purchase models (BG/NBD, MBG/NBD, Pareto/NBD), the
Gamma-Gamma model of spend, their fitting to counted cells, intervals, forecasts of the whole
customer base, the tables of a validation (`diagnostics`), and training, validation, scoring and
counting for a forecast through Spark (`training`, `validation`, `beside_lifetimes` and
`forecast_tables`, the only modules here that know Spark).
Modules that compile are imported where a fit happens, so that those which score stay light.
"""
