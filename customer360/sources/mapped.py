"""A source whose rows a mapping describes, wherever it reads them.

How a row becomes a transaction:

1. ``cancellations``: the first that fits makes it a refund (or a cancelled order), else a sale.
2. ``exclude``: the first that fits (and is for its kind) leaves it out, by its reason.
3. A sale whose amount is still negative is left out as ``negative_amount``: nothing says what it
   is. Refunds may be written as positive or as negative amounts.
4. Amount = ``amount``, or ``quantity`` x ``unit_price`` rounded to hundredths, line by line.
5. Lines are told apart by ``line_id``; without one by all their columns, so that lines alike in
   everything are one line delivered twice (``repeated_lines: drop``), or are numbered within a
   delivery and all count (``keep``).

Every customer the rows name has a profile row for each order, whether or not the order counts:
customers are who the business knows, and their attributes move with the orders.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Generic

from customer360.contracts import PERSONAL, SET_ASIDE, Contract
from customer360.contracts import Column as ContractColumn
from customer360.sources import staged
from customer360.sources.base import Delivery, Source
from customer360.sources.mapping import (
    CUSTOMER_ROLES,
    PERSONAL_ROLES,
    Columns,
    Condition,
    MappingT,
)

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

NEGATIVE_AMOUNT = "negative_amount"
"""Why a sale below zero is no transaction."""

_REQUIRED = ("order_id", "occurred_at", "amount", "quantity", "unit_price")
_NUMBERS = ("amount", "quantity", "unit_price", "items", "freight")
_DAYS = ("birth_date", "signed_up_on", "delivered_on", "reviewed_on")
_COUNTS = ("installments", "review_score")
_LEAST: Mapping[str, int | str] = {
    "review_score": 1,
    "installments": 0,
    "birth_date": "1850-01-01",
}
_DESCRIBING = (
    *CUSTOMER_ROLES,
    "items",
    "installments",
    "freight",
    "delivered_on",
    "review_score",
    "reviewed_on",
)
"""Roles whose bad values are set aside: the row stays without them."""


class MappedSource(Source, Generic[MappingT]):
    """One table of rows and the mapping that describes them.

    Args:
        mapping: What the rows' columns mean.
    """

    has_customers = False
    place = "file"
    """What holds the columns, for the descriptions in the contract."""

    def __init__(self, mapping: MappingT) -> None:
        self.mapping = mapping
        self.name = mapping.name
        self.currency = mapping.currency
        self.time_zone = mapping.time_zone
        self.closed = mapping.closed
        self.order_lines = mapping.grain == "lines"
        self.conflicts = mapping.conflicts
        self.states_keys = mapping.grain == "orders" or mapping.columns.line_id is not None
        self.tables = (mapping.table,)
        self.transactions_table = mapping.table
        own = (exclusion.reason for exclusion in mapping.exclude)
        self.exclusion_reasons = tuple(dict.fromkeys((*own, NEGATIVE_AMOUNT)))

    def contract(self, table: str) -> Contract:
        """The contract that follows from the mapping."""
        return self._contract

    def staged_customers(self, bronze: Mapping[str, DataFrame]) -> DataFrame:
        """A row for each time that a customer's attributes were stated."""
        from pyspark.sql import functions as F

        rows = self._typed(bronze)
        attributes = {role: self._role(role) for role in CUSTOMER_ROLES if self._has(role)}
        known = rows.select(
            self._role("customer_id").alias("source_customer_id"),
            self._occurred_at().alias("updated_at"),
            *(column.alias(role) for role, column in attributes.items()),
            "_delivered_on",
            "_row_hash",
        ).where(F.col("source_customer_id").isNotNull())
        if attributes:
            stated = known.groupBy("source_customer_id", "updated_at", *attributes).agg(
                F.max("_delivered_on").alias("_delivered_on"), F.min("_row_hash").alias("_row_hash")
            )
        else:  # Nothing to follow through time: known since the first transaction.
            stated = known.groupBy("source_customer_id").agg(
                F.min("updated_at").alias("updated_at")
            )
        return staged.customers(
            stated,
            source_customer_id=F.col("source_customer_id"),
            updated_at=F.col("updated_at"),
            **{role: F.col(role) for role in attributes},
        )

    def staged_transactions(self, bronze: Mapping[str, DataFrame]) -> DataFrame:
        """One row for each line or order, by the rules of this module."""
        from pyspark.sql import functions as F

        rows = self._typed(bronze)
        signed = self._signed_amount()
        kind = F.lit("sale")
        for cancellation in reversed(self.mapping.cancellations):
            fits = self._fits(cancellation)
            kind = F.when(fits, F.lit(cancellation.kind)).otherwise(kind)
        rows = rows.withColumn("__kind", kind).withColumn("__signed", signed)
        excluded = F.when((F.col("__kind") == "sale") & (F.col("__signed") < 0), NEGATIVE_AMOUNT)
        for exclusion in reversed(self.mapping.exclude):
            fits = self._fits(exclusion)
            if exclusion.only is not None:
                fits = fits & (F.col("__kind") == exclusion.only)
            excluded = F.when(fits, F.lit(exclusion.reason)).otherwise(excluded)
        for fits, reason in self._exclusions():
            excluded = F.when(fits, F.lit(reason)).otherwise(excluded)
        pieces = self._role("items" if self._has("items") else "quantity")
        plain = (
            "channel",
            "category",
            "payment_type",
            "related_order_id",
            "delivered_on",
            "reviewed_on",
        )
        return staged.transactions(
            rows,
            order_id=self._role("order_id"),
            line_key=self._line_key(),
            source_customer_id=self._role("customer_id"),
            kind=F.col("__kind"),
            occurred_at=self._occurred_at(),
            amount=F.abs("__signed"),
            currency=F.lit(self.currency),
            items=F.abs(F.round(pieces)).try_cast("int"),
            installments=self._role("installments").try_cast("int"),
            freight=F.abs(self._role("freight").try_cast("decimal(18,2)")),
            review_score=self._role("review_score").try_cast("int"),
            changed_at=self._role("changed_at"),  # only compared: whose time does not matter
            excluded_because=excluded,
            **{role: self._role(role) for role in plain},
        )

    @property
    def _delivery(self) -> Delivery:
        """How bronze rows come."""
        return "extract"

    def _stated(self) -> list[str]:
        """The source's columns that bronze keeps, each once."""
        return self.mapping.stated_columns()

    def _key(self) -> tuple[str, ...]:
        """The source's columns that must have a value because they tell its rows apart."""
        return ()

    def _written(self, logical_type: str) -> dict[str, Any]:
        """What the contract says about how values of a type are written: format, properties."""
        return {}

    def _exclusions(self) -> list[tuple[Column, str]]:
        """What else leaves a typed row out, before the mapping's own rules, and its reason."""
        return []

    def _typed(self, bronze: Mapping[str, DataFrame]) -> DataFrame:
        return staged.typed(bronze[self.mapping.table], self._contract)

    def _occurred_at(self) -> Column:
        """The event time of typed rows, UTC."""
        from pyspark.sql import functions as F

        return F.to_utc_timestamp(self._role("occurred_at"), self.time_zone)

    @functools.cached_property
    def _headers(self) -> dict[str, str]:
        """Bronze column to the source's own; Delta takes no blanks or brackets in names."""
        stated = self._stated()
        names: dict[str, str] = {}
        for header in stated:
            name = re.sub(r"[ ,;{}()\n\t=`.]+", "_", header.strip())
            name = name.lstrip("_") or "column"
            taken = {other.lower() for other in names}
            if name.lower() in taken:
                numbered = (f"{name}_{n}" for n in range(2, len(stated) + 2))
                name = next(other for other in numbered if other.lower() not in taken)
            names[name] = header
        return names

    @functools.cached_property
    def _names(self) -> dict[str, str]:
        return {header: name for name, header in self._headers.items()}

    @functools.cached_property
    def _contract(self) -> Contract:
        mapping = self.mapping
        roles: dict[str, str] = {}
        for role, header in mapping.columns.roles().items():
            roles.setdefault(header, role)  # the first role that a column has decides its type
        personal = {mapping.columns.roles().get(role) for role in PERSONAL_ROLES}
        columns = [
            self._column(name, roles.get(header), header, header in personal)
            for name, header in self._headers.items()
        ]
        return Contract.from_columns(
            f"bronze/{mapping.table}",
            columns,
            description=mapping.description
            or f"Rows of the {mapping.name} {self.place}s as received.",
            event_time=self._names[mapping.columns.occurred_at],
            delivery=self._delivery,
            indexed_columns=["_event_date"],
            grain="one order" if mapping.grain == "orders" else "one line of an order",
        )

    def _column(self, name: str, role: str | None, header: str, personal: bool) -> ContractColumn:
        kind = "string"
        if role in _NUMBERS:
            kind = "number"
        elif role in ("occurred_at", "changed_at"):
            kind = "timestamp"
        elif role in _DAYS:
            kind = "date"
        elif role == "marketing_consent":
            kind = "boolean"
        elif role in _COUNTS:
            kind = "integer"
        written = self._written(kind)
        properties = dict(written.get("properties", {}))
        # What describes a sale or a customer must not cost the sale.
        if role in _DESCRIBING and header not in self._key():
            properties[SET_ASIDE] = True
        field = Columns.model_fields.get(role or "")
        described = (field and field.description) or "Kept as received."
        return ContractColumn(
            name=name,
            logical_type=kind,
            required=role in _REQUIRED or header in self._key(),
            description=described
            if header == name
            else f"{described} In the {self.place}: {header}.",
            unit=self.currency if role in ("amount", "unit_price", "freight") else None,
            classification=PERSONAL if personal else None,
            minimum=_LEAST.get(role or ""),
            maximum=5 if role == "review_score" else None,
            format="email" if role == "email" else written.get("format"),
            properties=properties,
        )

    def _has(self, role: str) -> bool:
        return role in self.mapping.columns.roles()

    def _role(self, role: str) -> Column:
        from pyspark.sql import functions as F

        header = self.mapping.columns.roles().get(role)
        return F.lit(None) if header is None else self._of(header)

    def _of(self, header: str) -> Column:
        from pyspark.sql import functions as F

        from customer360.contracts.checks import quoted

        return F.col(quoted(self._names[header]))

    def _signed_amount(self) -> Column:
        if self._has("amount"):
            return self._role("amount").try_cast("decimal(18,2)")
        # 18 + 18 digits multiply exactly; the product of two decimal(38) would be cut.
        pieces = self._role("quantity").try_cast("decimal(18,4)")
        price = self._role("unit_price").try_cast("decimal(18,6)")
        return (pieces * price).try_cast("decimal(18,2)")

    def _line_key(self) -> Column:
        from pyspark.sql import functions as F
        from pyspark.sql.window import Window

        if not self.order_lines:
            return F.lit("")
        if self._has("line_id"):
            return self._role("line_id")
        alike = F.lower(F.hex("_row_hash"))
        if self.mapping.repeated_lines == "drop":
            return alike
        delivery = Window.partitionBy("_delivered_on", "_row_hash").orderBy("_row_hash")
        return F.concat_ws("-", alike, F.row_number().over(delivery))

    def _fits(self, condition: Condition) -> Column:
        from pyspark.sql import functions as F

        name, limit = condition.test
        column = self._of(condition.column)
        text, number = column.cast("string"), column.try_cast("decimal(38,12)")
        if name == "equals":
            fits = text.isin(limit)
        elif name == "starts_with":
            fits = functools.reduce(lambda a, b: a | b, (text.startswith(start) for start in limit))
        elif name == "matches":
            fits = text.rlike(limit)
        else:
            bound = F.lit(str(limit)).cast("decimal(38,12)")
            fits = {
                "below": number < bound,
                "at_most": number <= bound,
                "above": number > bound,
                "at_least": number >= bound,
            }[name]
        return F.coalesce(fits, F.lit(False))
