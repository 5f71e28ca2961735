"""Clean, typed, deduplicated tables: one module a table, DataFrame in, DataFrame out.

Here: customer keys, normalisation of texts, which of several deliveries wins, order lines to
orders, the current and past profiles of customers, and what a customer did on a day. Not here:
reading or writing tables (``lakehouse``), what the columns are (``contracts``), how a source's
own columns map to staged rows (``sources``), when any of it runs (``orchestration``).
"""
