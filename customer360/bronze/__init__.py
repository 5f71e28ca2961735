"""What belongs here: telling good raw rows from bad ones, and giving both where they came from.

Pure functions, DataFrame in and DataFrame out. Reading raw files is the sources' business,
writing tables is the lakehouse's; the rules are the contracts'.
"""

from customer360.bronze.ingest import accepted, kept, received, rejected

__all__ = ["accepted", "kept", "received", "rejected"]
