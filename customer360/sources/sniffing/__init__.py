"""What files look like, and a mapping to start from: `customer360 map`.

Here: telling how text is taken apart (``text``), rows to look at (``sample``), what a column's
values are (``values``), which column plays which role and why (``roles``, ``words``), what a row is
(``grain``), and the commented YAML of all that (``draft``). No Spark, and nothing of it is used
when rows are loaded: a mapping says how a file is read, never a guess.
"""

from customer360.sources.sniffing.draft import Drafted, draft

__all__ = ["Drafted", "draft"]
