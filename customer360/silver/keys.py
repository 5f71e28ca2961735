"""Keyed hashes: the customer key, the only customer identifier that leaves ``silver/customers``.

And the order key, which stands for an order's id wherever that leaves silver.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import Column

_BLOCK = 64  # bytes SHA-256 works on at a time

TELLING_APART = "forgotten-"
"""How a text begins that only tells rows of somebody forgotten apart: 32 hexadecimal digits of a
keyed hash follow."""

TELLING_APART_ONLY = f"^{TELLING_APART}[0-9a-f]{{32}}$"
"""Regular expression of such a text, which says nothing."""


def customer_key(source: Column | str, source_customer_id: Column, secret: bytes) -> Column:
    """HMAC-SHA-256 (RFC 2104) of ``<source>:<source_customer_id>`` as 64 hexadecimal digits.

    Native expressions only, so that it is compiled into the query. The two padded secrets are
    literals of the query plan: a deployment that keeps event logs redacts them
    (``spark.sql.redaction.string.regex``).

    Args:
        source: Name of the source (a string), or the column that holds it.
        source_customer_id: The source's own identifier of the customer; null gives null.
        secret: Key of the HMAC, of any length but zero.

    Raises:
        ValueError: The secret is empty, or the source's name holds the separator.
    """
    from pyspark.sql import functions as F

    if isinstance(source, str):
        if ":" in source:
            raise ValueError(f"source {source!r}: the name must not hold a colon")
        source = F.lit(source)
    return _hmac(F.concat(source, F.lit(":"), source_customer_id.cast("string")), secret)


def order_key(source: Column | str, order_id: Column, secret: bytes) -> Column:
    """What stands for an order's id beyond silver: a keyed hash, 64 hexadecimal digits.

    Args:
        source: Name of the source, or the column that holds it: two may number their orders alike.
        order_id: The source's own identifier of the order; null gives null.
        secret: Of the customer keys. No order has the key of a customer with the same number.
    """
    from pyspark.sql import functions as F

    named = F.lit(source) if isinstance(source, str) else source
    return _hmac(F.concat(F.lit("order::"), named, F.lit(":"), order_id.cast("string")), secret)


def _hmac(text: Column, secret: bytes) -> Column:
    """HMAC-SHA-256 of a text in UTF-8; null gives null."""
    from pyspark.sql import functions as F

    if not secret:
        raise ValueError("customer keys need a secret; it is empty")
    key = hashlib.sha256(secret).digest() if len(secret) > _BLOCK else secret
    key = key.ljust(_BLOCK, b"\0")
    message = F.encode(text, "UTF-8")
    inner = F.sha2(F.concat(_pad(key, 0x36), message), 256)
    return F.sha2(F.concat(_pad(key, 0x5C), F.unhex(inner)), 256)


def customer_key_of(source: str, source_customer_id: str, secret: bytes) -> str:
    """`customer_key` of one customer, without Spark: for who asks about them by their own id."""
    message = f"{source}:{source_customer_id}".encode()
    return hmac.new(secret, message, hashlib.sha256).hexdigest()


def _pad(key: bytes, value: int) -> Column:
    from pyspark.sql import functions as F

    return F.lit(bytes(byte ^ value for byte in key))
