"""Tables and queries of an operational PostgreSQL, described by the YAML that files share.

``mapping`` reads and checks the YAML, ``database`` reaches the server and holds one state of it,
``copying`` moves rows to the executors, ``source`` makes a source of them; ``mappings/`` holds
those that ship. Everything is read in read-only transactions; nothing is written there.
"""

from customer360.sources.postgres.mapping import PostgresMapping, load_mapping, shipped_mappings
from customer360.sources.postgres.source import PostgresSource

__all__ = ["PostgresMapping", "PostgresSource", "load_mapping", "shipped_mappings"]
