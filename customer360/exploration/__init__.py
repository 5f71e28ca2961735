"""Exploration: what the data looks like before any model, as one page that needs nothing else.

Here belong the aggregates (`aggregates`, the only module here that knows Spark), their plots
(`charts`) and the page (`page`). Only bounded frames reach the driver, and nothing on the page
tells one customer from another. Nothing here reads or writes a table, or knows Dagster.
"""

from customer360.exploration.aggregates import Exploration, explore
from customer360.exploration.page import charts_of, html_page, main_figures

__all__ = ["Exploration", "charts_of", "explore", "html_page", "main_figures"]
