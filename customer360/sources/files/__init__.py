"""The user's own CSV or Parquet files, described by a short YAML mapping.

``mapping`` reads and checks the YAML, ``source`` makes a source of it; ``mappings/`` holds those
that ship. Nothing here knows any particular file: what is special about one is in its mapping.
"""

from customer360.sources.files.mapping import FileMapping, load_mapping, shipped_mappings
from customer360.sources.files.source import FilesSource

__all__ = ["FileMapping", "FilesSource", "load_mapping", "shipped_mappings"]
