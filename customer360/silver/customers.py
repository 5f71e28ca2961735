"""silver/customers: one row a customer, the current profile. Holds personal data.

Many deliveries state a customer's profile. The one that became true last is current; of two that
became true at the same instant the one delivered last, then the greater row hash. The same rule
picks the winner inside a batch (``latest``) and against the table (``MERGE``), so the order
in which days are loaded does not matter. A day's file delivered again, corrected, replaces what
it said of the same instant before. ``signed_up_on`` is the earliest ever stated.

``_delivered_on`` and ``_row_hash`` of the winning row are kept in the table for that comparison.
A customer known only by transactions has no profile: the source gives the first of them as
``updated_at`` and a null ``_row_hash``, the earliest counts, and any profile wins.
"""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from customer360.silver import text
from customer360.silver.keys import customer_key

ATTRIBUTES = (
    "source_customer_id",
    "name",
    "email",
    "phone",
    "address",
    "birth_date",
    "tax_id",
    "city",
    "state",
    "postal_code",
    "country",
    "acquisition_channel",
    "loyalty_tier",
    "marketing_consent",
)
COLUMNS = (
    "customer_key",
    "source",
    *ATTRIBUTES,
    "signed_up_on",
    "updated_at",
    "_delivered_on",
    "_row_hash",
)

_WRITTEN = ("name", "address", "city", "state", "country")  # as people write them, in any alphabet


def prepared(staged: DataFrame, *, source: str, secret: bytes) -> DataFrame:
    """Typed, normalised profile rows with their customer key, one for each row delivered.

    Names are trimmed and composed (NFC) and their case mended only where all letters have the
    same; e-mail lower case; phone digits; postal codes stay texts. A profile without a time
    counts from sign-up, else delivery, else as the oldest there can be.

    Args:
        staged: Staged customers of one source (see ``sources.base``).
        source: Its name.
        secret: Secret of the customer keys.

    Returns:
        The columns of ``COLUMNS``. Rows without a customer id are left out.
    """
    known_since = F.coalesce(
        F.col("updated_at").cast("timestamp"),
        F.col("signed_up_on").cast("timestamp"),
        F.col("_delivered_on").cast("timestamp"),
        F.lit("1970-01-01 00:00:00").cast("timestamp"),
    )
    # Step by step, because each rule uses its text several times: one nested expression would
    # repeat the rules inside it as often.
    tidy = staged.select(
        text.identifier(F.col("source_customer_id")).alias("source_customer_id"),
        *(text.tidy(F.col(name)).alias(name) for name in _WRITTEN),
        text.email(F.col("email")).alias("email"),
        text.phone(F.col("phone")).alias("phone"),
        text.tax_id(F.col("tax_id")).alias("tax_id"),
        text.code(F.col("postal_code").cast("string")).alias("postal_code"),
        F.lower(text.tidy(F.col("acquisition_channel"))).alias("acquisition_channel"),
        F.lower(text.tidy(F.col("loyalty_tier"))).alias("loyalty_tier"),
        F.col("birth_date").cast("date").alias("birth_date"),
        F.col("marketing_consent").cast("boolean").alias("marketing_consent"),
        F.col("signed_up_on").cast("date").alias("signed_up_on"),
        known_since.alias("updated_at"),
        F.col("_delivered_on").cast("date").alias("_delivered_on"),
        F.col("_row_hash").cast("long").alias("_row_hash"),
    ).where(F.col("source_customer_id").isNotNull())
    composed = tidy.withColumns({name: text.composed(F.col(name)) for name in _WRITTEN})
    return composed.withColumns(
        {
            "customer_key": customer_key(source, F.col("source_customer_id"), secret),
            "source": F.lit(source),
            "name": text.cased(F.col("name")),
            "city": text.cased(F.col("city")),
            "state": text.region(F.col("state")),
        }
    ).select(*COLUMNS)


def latest(profiles: DataFrame) -> DataFrame:
    """One row a customer: the profile that counts among ``profiles``, the earliest sign-up.

    Args:
        profiles: As ``prepared`` gives them.
    """
    order = F.struct(
        F.col("_row_hash").isNotNull(),
        F.col("updated_at"),
        F.col("_delivered_on"),
        F.col("_row_hash"),
    )
    kept = ("source", *ATTRIBUTES, "updated_at", "_delivered_on", "_row_hash")
    best = profiles.groupBy("customer_key").agg(
        F.max_by(F.struct(*kept), order).alias("_best"),
        F.min("signed_up_on").alias("_signed_up_on"),
        F.min("updated_at").alias("_first_seen"),
    )
    # Without any profile, the row says since when the customer is known.
    updated_at = F.when(F.col("_best._row_hash").isNull(), F.col("_first_seen")).otherwise(
        F.col("_best.updated_at")
    )
    given = {
        "customer_key": F.col("customer_key"),
        "signed_up_on": F.col("_signed_up_on"),
        "updated_at": updated_at,
    }
    return best.select(*(given.get(name, F.col(f"_best.{name}")).alias(name) for name in COLUMNS))


# ``source`` is a row of ``latest``, ``target`` the table's row of the same customer. A struct
# compares field by field, null first: the order that ``latest`` uses too. All rows of a delivery
# day come in one batch, so an equal instant and day with another hash is that day's correction.
_NEWER = """
    source._row_hash IS NOT NULL AND (target._row_hash IS NULL
        OR struct(source.updated_at, source._delivered_on)
         > struct(target.updated_at, target._delivered_on)
        OR (struct(source.updated_at, source._delivered_on)
         = struct(target.updated_at, target._delivered_on)
            AND source._row_hash <> target._row_hash))
"""
_KNOWN_LONGER = """
    source.signed_up_on < target.signed_up_on
    OR (target.signed_up_on IS NULL AND source.signed_up_on IS NOT NULL)
    OR (target._row_hash IS NULL AND source._row_hash IS NULL
        AND source.updated_at < target.updated_at)
"""
_FIRST_SIGN_UP = "least(target.signed_up_on, source.signed_up_on)"
_PROFILE = ", ".join(
    f"{name} = source.{name}" for name in COLUMNS if name not in ("customer_key", "signed_up_on")
)

MERGE = f"""
ON target.customer_key = source.customer_key
WHEN MATCHED AND ({_NEWER}) THEN UPDATE SET {_PROFILE}, signed_up_on = {_FIRST_SIGN_UP}
WHEN MATCHED AND ({_KNOWN_LONGER}) THEN UPDATE SET
    signed_up_on = {_FIRST_SIGN_UP},
    updated_at = CASE WHEN target._row_hash IS NULL
        THEN least(target.updated_at, source.updated_at) ELSE target.updated_at END
WHEN NOT MATCHED THEN INSERT ({", ".join(COLUMNS)})
    VALUES ({", ".join(f"source.{name}" for name in COLUMNS)})
"""
"""Clauses of the MERGE of ``latest`` rows (``source``) into ``silver/customers`` (``target``).

Merged again, or after a newer batch, rows change nothing but an earlier sign-up date.
"""
