"""Where raw data comes from, and how each source maps to the canonical tables.

Here: reading raw files as text, and the rules by which a source's own columns become staged
customers and staged transactions. Not here: checking rows (``contracts``), deduplication and
keys (``silver``), writing tables (``lakehouse``).
"""
