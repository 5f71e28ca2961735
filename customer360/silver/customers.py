"""silver/customers: one row a customer, the current profile. Holds personal data.

Many deliveries say something of a customer, and few say everything. A blank says nothing: of each
attribute the value that became true last counts; of two that became true at the same instant the
one delivered last, then that of the greater row hash. ``signed_up_on`` is the earliest ever stated.

Consent has a rule of its own: a refusal stands until a later explicit yes, and of a yes and a no of
the same instant the no counts, whichever was delivered last.

``updated_at``, ``_delivered_on`` and ``_row_hash`` are those of the profile row that became true
last. A customer known only by transactions has no profile: the source gives the first of them as
``updated_at`` and a null ``_row_hash``, and the earliest counts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from customer360.contracts import Contract
from customer360.contracts.attributes import customer_attributes
from customer360.silver import text
from customer360.silver.keys import customer_key
from customer360.silver.personal_text import masked_text
from customer360.table_names import CUSTOMERS


def _code(text_: Column) -> Column:
    return text.code(text_.cast("string"))


def _word(text_: Column) -> Column:
    return F.lower(text.tidy(text_))


_TIDIED: Mapping[str, Callable[[Column], Column]] = {
    "email": text.email,
    "phone": text.phone,
    "tax_id": text.tax_id,
    "postal_code": _code,
    "acquisition_channel": _word,
    "loyalty_tier": _word,
}
"""How the texts of an attribute are made alike; others are taken as people write them."""

_CASED: Mapping[str, Callable[[Column], Column]] = {
    "name": text.cased,
    "city": text.cased,
    "state": text.region,
}
"""Attributes whose case is mended."""


def prepared(staged: DataFrame, *, source: str, secret: bytes) -> DataFrame:
    """Typed, normalised profile rows with their customer key, one for each row delivered.

    Names are trimmed and composed (NFC) and their case mended only where all letters have the
    same; e-mail lower case; phone digits; postal codes stay texts. A profile without a time
    counts from sign-up, else delivery, else as the oldest there can be. In texts that are not
    personal by contract, a person is masked (`customer360.silver.personal_text`).

    Args:
        staged: Staged customers of one source (see ``sources.base``).
        source: Its name.
        secret: Secret of the customer keys.

    Returns:
        The columns of the contract. Rows without a customer id are left out.
    """
    known_since = F.coalesce(
        F.col("updated_at").cast("timestamp"),
        F.col("signed_up_on").cast("timestamp"),
        F.col("_delivered_on").cast("timestamp"),
        F.lit("1970-01-01 00:00:00").cast("timestamp"),
    )
    attributes = customer_attributes().values()
    texts = [each.name for each in attributes if each.physical_type == "string"]
    typed = [each for each in attributes if each.physical_type != "string"]
    # Step by step, because each rule uses its text several times: one nested expression would
    # repeat the rules inside it as often.
    tidy = staged.select(
        text.identifier(F.col("source_customer_id")).alias("source_customer_id"),
        *(_TIDIED.get(name, text.tidy)(F.col(name)).alias(name) for name in texts),
        *(F.col(each.name).cast(each.physical_type).alias(each.name) for each in typed),
        known_since.alias("updated_at"),
        F.col("_delivered_on").cast("date").alias("_delivered_on"),
        F.col("_row_hash").cast("long").alias("_row_hash"),
    ).where(F.col("source_customer_id").isNotNull())
    composed = tidy.withColumns(
        {name: text.composed(F.col(name)) for name in texts if name not in _TIDIED}
    )
    mended = composed.withColumns(
        {
            "customer_key": customer_key(source, F.col("source_customer_id"), secret),
            "source": F.lit(source),
            **{name: mended(F.col(name)) for name, mended in _CASED.items()},
        }
    )
    contract = Contract.load(CUSTOMERS)
    return mended.withColumns(
        {name: masked_text(F.col(name)) for name in contract.quasi_identifiers}
    ).select(*contract.column_names)


def latest(profiles: DataFrame) -> DataFrame:
    """One row a customer: of each attribute the latest that is known, and the earliest sign-up.

    Args:
        profiles: All that was said of these customers, as ``prepared`` gives it.
    """
    order = ("updated_at", "_delivered_on", "_row_hash")
    stated = F.col("_row_hash").isNotNull()
    consent = F.col("marketing_consent")

    def latest_known(name: str) -> Column:
        # The value itself last: two rows alike in all else must not make it a lottery.
        return F.max_by(name, F.when(F.col(name).isNotNull(), F.struct(*order, name))).alias(name)

    given = {
        "marketing_consent": F.max_by(
            consent, F.when(consent.isNotNull(), F.struct("updated_at", ~consent))
        ),
        "signed_up_on": F.min("signed_up_on"),
        # Without any profile, the row says since when the customer is known.
        "updated_at": F.coalesce(F.max(F.when(stated, F.col("updated_at"))), F.min("updated_at")),
        **{
            name: F.max_by(name, F.when(stated, F.struct(*order)))
            for name in ("_delivered_on", "_row_hash")
        },
    }
    key, *others = Contract.load(CUSTOMERS).column_names
    merged = (given[name].alias(name) if name in given else latest_known(name) for name in others)
    return profiles.groupBy(key).agg(*merged)


def deciding(profiles: DataFrame) -> DataFrame:
    """Which rows `latest` is made of: without all others it comes to the same.

    Args:
        profiles: As for `latest`.

    Returns:
        Their ``_row_hash``, each once. A customer without any profile has none: of them the first
        transaction counts.
    """
    order = ("updated_at", "_delivered_on", "_row_hash")
    consent = F.col("marketing_consent")

    def of_latest(name: str) -> Column:
        return decided_by(F.col(name).isNotNull(), *map(F.col, order), F.col(name))

    def decided_by(says: Column, *first: Column) -> Column:
        # Of rows that say the same the newest: one must be found, whenever it is looked for.
        return F.max_by("_row_hash", F.when(says, F.struct(*first, "_delivered_on", "_row_hash")))

    _, *others = Contract.load(CUSTOMERS).column_names
    told_apart = {"signed_up_on", "marketing_consent", "updated_at", *order}
    rows = [
        *(of_latest(name) for name in others if name not in told_apart),
        of_latest("_row_hash"),
        decided_by(F.col("signed_up_on").isNotNull(), -F.unix_date("signed_up_on")),
        decided_by(consent.isNotNull(), F.col("updated_at"), ~consent),
    ]
    return (
        profiles.where(F.col("_row_hash").isNotNull())
        .groupBy("customer_key")
        .agg(F.array(*rows).alias("rows"))
        .select(F.explode(F.array_distinct("rows")).alias("_row_hash"))
        .where(F.col("_row_hash").isNotNull())
        .distinct()
    )
