"""What kind of Spark a master is the address of."""

from __future__ import annotations

STANDALONE = "spark://"
"""How the address of one of Spark's own masters begins."""

_CONNECT = "sc://"


def is_local(master: str) -> bool:
    """Whether tasks run in the driver's own process: ``local[*]``, ``local[4]``, ``local``."""
    return master.startswith("local")


def is_standalone(master: str) -> bool:
    """Whether it is one of Spark's own masters."""
    return master.startswith(STANDALONE)


def is_connect(master: str) -> bool:
    """Whether it is a Spark Connect server."""
    return master.startswith(_CONNECT)
