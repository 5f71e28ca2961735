"""A source whose rows a mapping describes, wherever it reads them.

How a row becomes a transaction:

1. ``cancellations``: the first that fits makes it a refund (or a cancelled order), else a sale.
2. ``exclude``: the first that fits (and is for its kind) leaves it out, by its reason. Where rows
   are orders, a row with nothing but an order id and a time is left out as `CONTINUATION`.
3. A sale whose amount is still negative is left out as ``negative_amount``: nothing says what it
   is. Refunds may be written as positive or as negative amounts.
4. Amount = ``amount`` (several columns are added), or ``quantity`` x ``unit_price``, less
   ``discount``, rounded to hundredths, line by line. A line that fits ``discounts`` is taken off
   its order; one that leaves less than nothing of it is a conflict (``silver.transactions``).
5. Lines are told apart by ``line_id``; without one by all their columns, so that lines alike in
   everything are one line delivered twice (``repeated_lines: drop``), or are numbered within a
   delivery and all count (``keep``). A line of an earlier daily file is known again by what it
   says was sold, whatever became of its state or its customer.
6. What ``refunded`` names of a sale is a refund of that order, a row beside the sale. Its line key
   is `REFUNDED`: two staged rows of one bronze row. There is one where nothing was given back, or
   the order was cancelled, too: it takes back what an earlier row said.
7. Money of a currency with a stated rate is converted; of any other it stays what it is, for silver
   to leave out by that reason.

Every customer the rows name has a profile row for each order, whether or not the order counts:
customers are who the business knows, and their attributes move with the orders.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Generic

from customer360.contracts import PERSONAL, SET_ASIDE, Contract
from customer360.contracts import Column as ContractColumn
from customer360.contracts.attributes import customer_attributes
from customer360.contracts.identifiers import CUSTOMER, IDENTIFIER, NULL_WORDS, ROW, trimmed_sql
from customer360.contracts.numbers import (
    decimal_sql,
    minor_digits,
    signs_of,
)
from customer360.contracts.reasons import OTHER_CURRENCY
from customer360.contracts.sql import literal, quoted
from customer360.contracts.times import PLAUSIBLE
from customer360.sources import staged
from customer360.sources.base import Delivery, Source
from customer360.sources.mapping import (
    CUSTOMER_ROLES,
    PERSONAL_ROLES,
    Columns,
    Condition,
    MappingT,
)
from customer360.sources.people import CUSTOMER as CUSTOMER_LINK
from customer360.sources.people import PersonColumns

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

NEGATIVE_AMOUNT = "negative_amount"
"""Why a sale below zero is no transaction."""

_ORDER = "order"
_IDENTIFYING_ROLES = {"customer_id", "order_id", "email", "phone", "tax_id"}

COMPOSED = "|"
"""Stands between the parts of an order id of several columns."""

CONTINUATION = "continuation_row"
"""Why a row of an order's further lines, which says nothing of the order, is no order."""

REFUNDED = "refunded"
"""Line key of a refund that was stated beside its sale."""

_REQUIRED = ("order_id", "occurred_at", "amount", "quantity", "unit_price")
_NUMBERS = (
    "amount",
    "quantity",
    "unit_price",
    "discount",
    "refunded",
    "items",
    "freight",
)
_MONEY = ("amount", "unit_price", "discount", "refunded", "freight")
_TIMES = ("occurred_at", "refunded_at", "changed_at")
_DATED = ("occurred_at", "refunded_at")  # what gives a transaction its day
_ROW_IDS = ("order_id", "line_id", "related_order_id")
_TEXT_TESTS = ("equals", "starts_with", "matches", "blank")
_EXACT = "decimal(18,6)"
_CONTINUES = "__continues"
_DAYS = ("delivered_on", "reviewed_on")
_COUNTS = ("installments", "review_score")
_LEAST: Mapping[str, int | str] = {
    "review_score": 1,
    "installments": 0,
}
_STATES = (
    "order_id",
    "related_order_id",
    "line_id",
    "occurred_at",
    "amount",
    "quantity",
    "unit_price",
    "discount",
    "currency",
    "items",
    "freight",
    "category",
    "product_id",
)
"""Roles that say what was sold or given back. Others describe the customer, or change with time."""
_HOW = ("channel", "payment_type")
"""Roles that tell one refund from another, and are of the whole order where rows are lines."""
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


def _bounds(role: str | None) -> dict[str, Any]:
    return {"minimum": _LEAST.get(role or ""), "maximum": 5 if role == "review_score" else None}


def _rules(attribute: ContractColumn) -> dict[str, Any]:
    """What silver asks of a customer's attribute, asked of what is delivered.

    So a value that silver would refuse is set aside at the door, and stops no load. Patterns are
    silver's alone: they are of the text once it is tidied.
    """
    return {"allowed_values": attribute.allowed_values} | dict(attribute.bounds)


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
        self.order_lines = self.has_lines = mapping.grain == "lines"
        self.conflicts = mapping.conflicts
        self.states_keys = mapping.grain == "orders" or mapping.columns.line_id is not None
        self.splits_rows = self._has("refunded")
        self.tables = (mapping.table,)
        self.transactions_table = mapping.table
        own = (exclusion.reason for exclusion in mapping.exclude)
        implied = (NEGATIVE_AMOUNT, *([CONTINUATION] if self._continued else []))
        self.exclusion_reasons = tuple(dict.fromkeys((*own, *implied)))
        # A currency column is named so that other money is left out, or converted.
        foreign = [OTHER_CURRENCY] if self._has("currency") else []
        wanted = (*(rule.reason for rule in mapping.exclude), CONTINUATION, *foreign)
        self.stated_exclusions = tuple(dict.fromkeys(wanted))

    def contract(self, table: str) -> Contract:
        """The contract that follows from the mapping."""
        return self._contract

    def header_of(self, table: str, column: str) -> str:
        """The source's own name of a bronze column."""
        return self._headers.get(column, column)

    def person_columns(self, table: str) -> PersonColumns:
        """Rows name their customer; one that does not is of whoever the rest of its order is of.

        What the mapping tests stays in a sale without a customer, or it would become another kind
        of row. Texts that say what was sold, and how, go on telling lines, refunds and versions of
        an order apart.
        """
        from pyspark.sql import functions as F

        from customer360.contracts.checks import typed_value

        def value(role: str) -> Column:
            names = [self._names[header] for header in self.mapping.columns.headers(role)]
            return _composed([typed_value(self._contract.column(name)) for name in names])

        roles: dict[str, set[str]] = {}
        for role, header in self.mapping.columns.pairs():
            roles.setdefault(self._names[header], set()).add(role)
        personal = set(self._contract.personal_columns)
        tested = {self._names[rule.column] for rule in self.mapping.rules()}
        tested |= {self._names[header] for header in self._asked()}
        kept = tested | {name for name, own in roles.items() if own & {"currency"}}
        of_customer = {name for name, own in roles.items() if own & set(CUSTOMER_ROLES)}
        texts = {c.name for c in self._contract.columns if c.logical_type == "string"}
        ids = {name for name, own in roles.items() if own & set(_ROW_IDS)}
        keys = (ids | texts - of_customer - personal) - kept
        # What is asked of a person is answered as before by a text that is nobody's; only rows
        # that it leaves out are no sales.
        keys |= {name for name in kept & personal if "customer_id" not in roles.get(name, ())}
        kept -= personal
        rules = (self._fits_text(rule) for rule in self.mapping.exclude)
        of_person = [
            fits
            for rule, fits in zip(self.mapping.exclude, rules, strict=True)
            if fits is not None and self._names[rule.column] in personal
        ]
        links, leads = {}, {}
        if self._has("customer_id"):
            links[CUSTOMER_LINK] = value("customer_id")
            if self._has("order_id"):
                leads[_ORDER] = value("order_id")
                links[_ORDER] = F.when(links[CUSTOMER_LINK].isNull(), leads[_ORDER])
        return PersonColumns(
            links,
            leads,
            keys=tuple(sorted(keys)),
            told_apart_by_all=self.order_lines and not self._has("line_id"),
            kept=tuple(sorted(kept)),
            identifying=tuple(
                sorted(name for name, own in roles.items() if own & _IDENTIFYING_ROLES)
            ),
            left_out=F.expr(" OR ".join(of_person)) if of_person else None,
        )

    def _asked(self) -> tuple[str, ...]:
        """The source's columns that it asks of a row beside the mapping's rules."""
        return self._key()

    def staged_customers(self, bronze: Mapping[str, DataFrame]) -> DataFrame:
        """A row for each time that a customer's attributes were stated."""
        from pyspark.sql import functions as F

        rows = self._typed(bronze)
        attributes = {role: self._attribute(role) for role in CUSTOMER_ROLES if self._has(role)}
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

    def _with_refunds(self, rows: DataFrame) -> DataFrame:
        """Orders twice: ``__refunds`` marks the second, of what was given back, if only nothing.

        What is left out of itself, or is in other money, is there twice only if it gives back.
        """
        from pyspark.sql import functions as F

        kind, stated = F.col("__kind"), self._in_currency(F.abs(self._role("refunded")))
        nothing = F.lit(0).cast("decimal(18,2)")
        given_back = F.when(kind == "sale", F.coalesce(stated, nothing)).otherwise(nothing)
        counts = F.col("__excluded").isNull() & (self._currency() == self.currency)
        both = (given_back > 0) | (kind.isin("sale", "cancelled") & counts)
        once, twice = F.array(F.lit(False)), F.array(F.lit(False), F.lit(True))
        split = rows.withColumn("__refunds", F.explode(F.when(both, twice).otherwise(once)))
        refund = F.col("__refunds")
        return split.withColumns(
            {
                "__kind": F.when(refund, F.lit("refund")).otherwise(kind),
                "__signed": F.when(refund, given_back).otherwise(F.col("__signed")),
                "__nothing": refund & (given_back == 0),
            }
        )

    def _with_discounts(self, rows: DataFrame) -> DataFrame:
        """``__off`` marks lines that are discounts, which are no sales below zero."""
        from pyspark.sql import functions as F

        fits = functools.reduce(
            lambda a, b: a | b, (self._fits(rule) for rule in self.mapping.discounts)
        )
        below_zero = fits & (F.col("__excluded") == NEGATIVE_AMOUNT)
        excluded = F.when(~F.coalesce(below_zero, F.lit(False)), F.col("__excluded"))
        return rows.withColumns({"__off": fits, "__excluded": excluded})

    def staged_transactions(self, bronze: Mapping[str, DataFrame]) -> DataFrame:
        """One row for each line or order, by the rules of this module."""
        from pyspark.sql import functions as F

        rows = self._with_kinds(self._typed(bronze))
        amount: Column = F.abs("__signed")
        if self.mapping.discounts:
            rows = self._with_discounts(rows)
            amount = F.when(F.col("__off"), -amount).otherwise(amount)
        line_key, occurred_at = self._line_key(), self._occurred_at()
        related, of_sale = self._role("related_order_id"), F.lit(True)
        if self._has("refunded"):
            # Numbered while each line is one row.
            rows, line_key = rows.withColumn("__line", line_key), F.col("__line")
            rows = self._with_refunds(rows)
            refund = F.col("__refunds")
            of_sale = ~refund
            own_key = F.concat_ws("-", F.nullif(line_key, F.lit("")), F.lit(REFUNDED))
            line_key = F.when(refund, own_key).otherwise(line_key)
            related = F.when(refund, self._role("order_id")).otherwise(related)
            given_back_at = self._as_instant("refunded_at")
            occurred_at = F.when(refund, F.coalesce(given_back_at, occurred_at)).otherwise(
                occurred_at
            )
        pieces = self._role("items" if self._has("items") else "quantity")
        plain = (
            "channel",
            "category",
            "product_id",
            "payment_type",
            "delivered_on",
            "reviewed_on",
        )
        return staged.transactions(
            rows,
            order_id=self._role("order_id"),
            line_key=line_key,
            source_customer_id=self._role("customer_id"),
            kind=F.col("__kind"),
            occurred_at=occurred_at,
            amount=amount,
            currency=self._currency(),
            items=F.when(of_sale, F.abs(F.round(pieces)).try_cast("int")),
            installments=self._role("installments").try_cast("int"),
            freight=F.when(of_sale, F.abs(self._in_currency(self._role("freight")))),
            related_order_id=related,
            review_score=self._role("review_score").try_cast("int"),
            changed_at=self._role("changed_at"),  # only compared: whose time does not matter
            excluded_because=F.col("__excluded"),
            **{role: self._role(role) for role in plain},
            states=self._states(*_STATES, *_HOW),
            **({"takes_off": F.col("__off")} if self.mapping.discounts else {}),
            **({"nothing": F.col("__nothing")} if self._has("refunded") else {}),
        )

    def _with_kinds(self, rows: DataFrame) -> DataFrame:
        """``rows`` with their ``__kind``, ``__signed`` amount, and why one is ``__excluded``."""
        from pyspark.sql import functions as F

        kind = F.lit("sale")
        for cancellation in reversed(self.mapping.cancellations):
            fits = self._fits(cancellation)
            kind = F.when(fits, F.lit(cancellation.kind)).otherwise(kind)
        rows = rows.withColumn("__kind", kind).withColumn("__signed", self._signed_amount())
        excluded = F.when((F.col("__kind") == "sale") & (F.col("__signed") < 0), NEGATIVE_AMOUNT)
        for exclusion in reversed(self.mapping.exclude):
            fits = self._fits(exclusion)
            if exclusion.only is not None:
                fits = fits & (F.col("__kind") == exclusion.only)
            excluded = F.when(fits, F.lit(exclusion.reason)).otherwise(excluded)
        if self._continued:
            excluded = F.when(F.col(_CONTINUES), F.lit(CONTINUATION)).otherwise(excluded)
        for fits, reason in self._exclusions():
            excluded = F.when(fits, F.lit(reason)).otherwise(excluded)
        return rows.withColumn("__excluded", excluded)

    @property
    def _delivery(self) -> Delivery:
        """How bronze rows come, as a contract names it: `daily` or as an `extract`."""
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
        rows = self._with_texts(bronze[self.mapping.table])
        return staged.typed(rows, self._contract, *self._beside)

    def _with_texts(self, rows: DataFrame) -> DataFrame:
        """``rows`` with the texts that conditions test, as they stand: a typed value is another."""
        from pyspark.sql import functions as F

        texts = {
            text: F.expr(trimmed_sql(quoted(self._names[header])))
            for header, text in self._texts.items()
        }
        if self._continued:
            texts[_CONTINUES] = F.expr(self._says_nothing())
        return rows.withColumns(texts) if texts else rows

    def _says_nothing(self) -> str:
        """SQL of whether a row of bronze only continues the order above."""
        texts = (f"nullif(trim({quoted(self._names[header])}), '')" for header in self._continued)
        return f"coalesce({', '.join(texts)}) IS NULL"

    @property
    def _beside(self) -> tuple[str, ...]:
        """Columns of `_with_texts` that are kept beside the typed ones."""
        return (*self._texts.values(), *([_CONTINUES] if self._continued else []))

    @functools.cached_property
    def _texts(self) -> dict[str, str]:
        """Source column to the column of its text, for those whose text a condition tests."""
        rules = (*self.mapping.cancellations, *self.mapping.discounts, *self.mapping.exclude)
        tested = dict.fromkeys(rule.column for rule in rules if rule.test[0] in _TEXT_TESTS)
        return {header: f"__text_{n}" for n, header in enumerate(tested)}

    def _occurred_at(self) -> Column:
        """The event time of typed rows, UTC."""
        return self._as_instant("occurred_at")

    def _attribute(self, role: str) -> Column:
        """A customer's attribute, of its type in silver; null where it does not fit into that."""
        kind = customer_attributes()[role].physical_type
        value = self._as_instant(role) if kind == "timestamp" else self._role(role)
        return value if kind == "string" else value.try_cast(kind)

    def _as_instant(self, role: str) -> Column:
        """The time of a role, moved from the source's time zone to UTC."""
        from pyspark.sql import functions as F

        return F.to_utc_timestamp(self._role(role).cast("timestamp"), self.time_zone)

    @property
    def _continued(self) -> list[str]:
        """Columns that are blank in a row which only continues the order above.

        Exports of shops put what belongs to the order on its first row, and further lines below.
        """
        if self.mapping.grain != "orders":
            return []
        pairs = self.mapping.columns.pairs()
        ids = {header for role, header in pairs if role in ("order_id", "occurred_at")}
        rest = list(dict.fromkeys(header for _, header in pairs if header not in ids))
        amounts = set(self.mapping.columns.headers("amount"))
        return rest if amounts and set(rest) - amounts else []

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
        for role, header in mapping.columns.pairs():
            roles.setdefault(header, role)  # the first role that a column has decides its type
        personal = {header for role, header in mapping.columns.pairs() if role in PERSONAL_ROLES}
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
            excluded_where=self._no_row(),
            money=self._money(),
            money_in=self._money_in(),
        )

    def _money(self) -> list[list[str]]:
        """Bronze columns whose products, added, are what a row is worth."""
        amounts = self.mapping.columns.headers("amount")
        terms = [[header] for header in amounts] or [
            [*self.mapping.columns.headers("quantity"), *self.mapping.columns.headers("unit_price")]
        ]
        return [[self._names[header] for header in term] for term in terms]

    def _money_in(self) -> dict[str, list[str]]:
        """The bronze column of the currency, and what stands there of the mapping's own."""
        own = [sign.upper() for sign in signs_of(self.currency)]
        return {self._names[header]: own for header in self.mapping.columns.headers("currency")}

    def _no_row(self) -> str | None:
        """Rows that the mapping leaves out whatever else they say: totals, repeated headers."""
        rules = [self._fits_text(rule) for rule in self.mapping.exclude if rule.only is None]
        if self._continued:
            rules.append(self._says_nothing())
        return " OR ".join(rule for rule in rules if rule is not None) or None

    def _column(self, name: str, role: str | None, header: str, personal: bool) -> ContractColumn:
        attribute = customer_attributes().get(role or "")
        kind = "string"
        if role in _NUMBERS:
            kind = "number"
        elif role in _TIMES:
            kind = "timestamp"
        elif role in _DAYS:
            kind = "date"
        elif role in _COUNTS:
            kind = "integer"
        elif attribute is not None:
            kind = attribute.logical_type
        written = self._written("number" if kind == "integer" else kind)
        properties = dict(written.get("properties", {}))
        if role in _DATED:
            properties[PLAUSIBLE] = self.mapping.plausible_dates
        # What describes a sale or a customer must not cost the sale.
        if role in _DESCRIBING and header not in self._key():
            properties[SET_ASIDE] = True
        field = Columns.model_fields.get(role or "")
        described = (field and field.description) or "Kept as received."
        return ContractColumn(
            name=name,
            logical_type=kind,
            required=self._is_required(role, header),
            description=described
            if header == name
            else f"{described} In the {self.place}: {header}.",
            unit=self.currency if role in _MONEY else None,
            classification=PERSONAL if personal else None,
            **(_bounds(role) if attribute is None else _rules(attribute)),
            format="email" if role == "email" else written.get("format"),
            properties=properties | self._read_as(role, kind),
        )

    def _is_required(self, role: str | None, header: str) -> bool:
        if role == "amount":  # of columns that are added, the others may be blank
            return header == self.mapping.columns.headers(role)[0]
        return role in _REQUIRED or header in self._key()

    def _read_as(self, role: str | None, kind: str) -> dict[str, Any]:
        """What the contract says about texts that are identifiers, or no value at all."""
        words: list[str] = list(self.mapping.null_words)
        if role == "customer_id":
            return {IDENTIFIER: CUSTOMER, NULL_WORDS: [*words, *self.mapping.anonymous]}
        if role in _ROW_IDS:
            return {IDENTIFIER: ROW, NULL_WORDS: words}
        return {NULL_WORDS: words} if words and role is not None else {}

    def _has(self, role: str) -> bool:
        return bool(self.mapping.columns.headers(role))

    def _role(self, role: str) -> Column:
        """The typed value of a role: null where it is not mapped, of several columns joined."""
        return _composed([self._of(header) for header in self.mapping.columns.headers(role)])

    def _of(self, header: str) -> Column:
        from pyspark.sql import functions as F

        return F.col(quoted(self._names[header]))

    def _signed_amount(self) -> Column:
        from pyspark.sql import functions as F

        parts = [self._of(header) for header in self.mapping.columns.headers("amount")]
        if not parts:
            # 18 + 18 digits multiply exactly; the product of two decimal(38) would be cut.
            pieces = self._role("quantity").try_cast("decimal(18,4)")
            amount = pieces * self._role("unit_price").try_cast("decimal(18,6)")
        elif len(parts) == 1:
            amount = parts[0]
        else:
            amounts = [F.coalesce(part.try_cast(_EXACT), F.lit(0).cast(_EXACT)) for part in parts]
            amount = functools.reduce(lambda a, b: a + b, amounts)
        if self._has("discount"):
            whole = amount.try_cast(_EXACT)
            off = F.coalesce(F.abs(self._role("discount").try_cast(_EXACT)), F.lit(0).cast(_EXACT))
            amount = F.when(whole < 0, whole + off).otherwise(whole - off)
        return self._in_currency(amount)

    def _in_currency(self, amount: Column) -> Column:
        """Money as the row states it, in whole units of the mapping's currency."""
        from pyspark.sql import functions as F

        mapping = self.mapping
        minor = mapping.amounts_in == "minor_units"
        if not minor and not mapping.rates:
            return amount.try_cast("decimal(18,2)")

        def factor(code: str) -> Column:
            rate = Decimal(str(mapping.rates.get(code, 1)))
            unit = Decimal(1).scaleb(-minor_digits(code)) if minor else Decimal(1)
            return F.lit(str(rate * unit)).cast("decimal(18,9)")

        other = F.lit(str(Decimal("0.01") if minor else Decimal(1))).cast("decimal(18,9)")
        known = sorted({mapping.currency, *mapping.rates})
        if self._has("currency"):
            stated = self._stated_currency()
            for code in known:
                other = F.when(stated == code, factor(code)).otherwise(other)
        else:
            other = factor(mapping.currency)
        return (amount.try_cast(_EXACT) * other).try_cast("decimal(18,2)")

    def _stated_currency(self) -> Column:
        """The code of the row's currency; the mapping's where nothing or its sign stands there."""
        from pyspark.sql import functions as F

        own = F.lit(self.currency)
        if not self._has("currency"):
            return own
        stated = F.upper(F.trim(self._role("currency")))
        signs = [sign.upper() for sign in signs_of(self.currency)]
        return F.when(stated.isNull() | stated.isin(signs), own).otherwise(stated)

    def _currency(self) -> Column:
        """The code of the money as `_in_currency` gives it."""
        from pyspark.sql import functions as F

        stated = self._stated_currency()
        converted = list(self.mapping.rates)
        if not converted:
            return stated
        return F.when(stated.isin(converted), F.lit(self.currency)).otherwise(stated)

    def _states(self, *roles: str) -> Column:
        """A hash of what a typed row says by ``roles``, missing told from empty.

        The columns that the mapping keeps are in it: they say of what.
        """
        from pyspark.sql import functions as F

        columns = self.mapping.columns
        stated = [header for role in roles for header in columns.headers(role)]
        described = {header for role, header in columns.pairs() if role not in roles}
        rest = [header for header in self.mapping.keep if header not in described]
        values = [self._of(header) for header in dict.fromkeys([*stated, *rest])]
        return F.xxhash64(*(part for value in values for part in (value, value.isNull())))

    def _line_key(self) -> Column:
        from pyspark.sql import functions as F
        from pyspark.sql.window import Window

        if not self.order_lines:
            return F.lit("")
        if self._has("line_id"):
            return self._role("line_id")
        drop = self.mapping.repeated_lines == "drop"
        if self._delivery != "daily" and drop:
            return F.lower(F.hex("_row_hash"))
        # Within a delivery whatever differs is another line; a later one may say it again with
        # another state or address, so that only what was sold tells which line it is.
        says = self._states(*_STATES) if self._delivery == "daily" else F.col("_row_hash")
        delivery = Window.partitionBy("_delivered_on", says).orderBy("_row_hash")
        number = F.dense_rank() if drop else F.row_number()
        return F.concat_ws("-", F.lower(F.hex(says)), number.over(delivery))

    def _fits(self, condition: Condition) -> Column:
        from pyspark.sql import functions as F

        name, limit = condition.test
        if name in _TEXT_TESTS:
            return F.expr(_text_test(f"`{self._texts[condition.column]}`", name, limit))
        column = self._contract.column(self._names[condition.column])
        value = self._of(condition.column)
        if column.logical_type == "string":
            written = self._written("number").get("properties", {})
            value = F.expr(decimal_sql(quoted(column.name), written, "decimal(38,12)"))
        number, bound = value.try_cast("decimal(38,12)"), F.lit(str(limit)).cast("decimal(38,12)")
        fits = {
            "below": number < bound,
            "at_most": number <= bound,
            "above": number > bound,
            "at_least": number >= bound,
        }[name]
        return F.coalesce(fits, F.lit(False))

    def _fits_text(self, condition: Condition) -> str | None:
        """SQL of a condition of bronze's texts; None where it tests a number."""
        name, limit = condition.test
        if name not in _TEXT_TESTS:
            return None
        text = trimmed_sql(quoted(self._names[condition.column]))
        return _text_test(f"({text})", name, limit)


def _composed(parts: list[Column]) -> Column:
    """The id that ``parts`` make together; of which a part is missing it is none."""
    from pyspark.sql import functions as F

    if len(parts) > 1:
        return F.concat(parts[0], *(c for p in parts[1:] for c in (F.lit(COMPOSED), p)))
    return parts[0] if parts else F.lit(None)


def _text_test(text: str, name: str, limit: Any) -> str:
    """SQL of a test of ``text``, never null."""
    if name == "blank":
        return f"coalesce({text}, '') {'=' if limit else '<>'} ''"
    if name == "equals":
        fits = f"{text} IN ({', '.join(map(literal, limit))})"
    elif name == "starts_with":
        fits = " OR ".join(f"startswith({text}, {literal(start)})" for start in limit)
    else:
        fits = f"{text} RLIKE {literal(limit)}"
    return f"(coalesce({text}, '') <> '' AND ({fits}))"
