"""A complaint about files as people have them: a YAML of files, a mapping and the right values.

Values are worked out by hand. Of every complaint the rows are reconciled, and the money::

    rows in the files  = quarantined + bronze
    bronze             = kept + duplicates + corrections + excluded (conflicts among them)
    money in the files = sold + given back + cancelled + excluded + duplicates + corrections
                         + money in quarantine

A refund that stands beside its sale is a row more than the files have, and its money is theirs.
"""

from __future__ import annotations

import base64
import datetime as dt
import gzip
import io
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml
from openpyxl import Workbook
from pydantic import BaseModel, ConfigDict, Field, model_validator
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from customer360.bronze import ingest
from customer360.contracts.checks import keeps_every_rule, money_counts, set_aside_counts
from customer360.gold.customer_features import customer_features
from customer360.limits import Limits
from customer360.pipeline.bronze_accounts import left_out
from customer360.pipeline.conflicts import too_many
from customer360.silver import customers, transactions
from customer360.silver.customer_days import customer_days
from customer360.silver.keys import customer_key_of
from customer360.sources.files import FilesSource
from customer360.sources.files.mapping import parse_mapping
from customer360.sources.mapped import REFUNDED
from customer360_tests.cases.loaded_files import EVER, SECRET

FOLDER = Path(__file__).parent / "complaints"
FEATURES = (
    "frequency",
    "recency",
    "T",
    "monetary_value",
    "orders",
    "refunds",
    "net_revenue",
    "refunded",
)
"""Columns of gold/customer_features that a complaint states, in this order."""

LIMITS = Limits(rows=0.05, money=0.05, tolerance=5)
"""Those of a deployment that sets none."""

_CENT = Decimal("0.01")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Money(_Strict):
    """Money by where it went; kept sales and refunds are ``gross`` and ``refunded`` of `Expected`.

    Attributes:
        in_files: All that the files state, by hand.
        quarantined: Of it, what stands on rows that broke a rule, by hand.
        excluded: On rows left out of silver, conflicts among them.
        cancelled: On orders that were cancelled.
        duplicates: On rows that say what another says.
        corrections: On rows that another puts right.
    """

    in_files: Decimal
    quarantined: Decimal = Decimal(0)
    excluded: Decimal = Decimal(0)
    cancelled: Decimal = Decimal(0)
    duplicates: Decimal = Decimal(0)
    corrections: Decimal = Decimal(0)


class Features(_Strict):
    """`FEATURES` of every customer who had bought by a day, by the source's own id."""

    as_of: dt.date
    of: Mapping[str, tuple[Decimal, ...]]


class Refusal(_Strict):
    """Texts that the one line holds with which the files are refused."""

    refused: tuple[str, ...] = Field(min_length=1)


class Expected(_Strict):
    """What is right.

    Attributes:
        rows: Rows in the files.
        quarantined: Rows by the rule that they break.
        quarantined_rows: Rows, where some break several.
        set_aside: Values read as blank because they break a rule, their rows staying.
        excluded: Rows left out of silver, by reason, conflicts among them.
        duplicates: Rows that say what another row of the order says.
        corrections: Rows that another puts right.
        orders: Orders sold.
        refunds: Refunds in silver.
        cancelled: Cancelled orders.
        anonymous: Sales without a customer.
        customers: The source's ids of those who bought or were given money back.
        gross: Money of the sales.
        refunded: Money given back.
        net: Of both.
        money: Where all money of the files went.
        first: Business day of the first row in silver.
        last: And of the last.
        amounts: Of sales by their order.
        days: Of sales by their order.
        say: Columns of silver/transactions of sales by their order.
        profiles: Columns of silver/customers by the source's id.
        features: In gold.
        stops: So much is left out that a load must not go on; None where that is not asked.
        check_suspects: Texts of what `customer360 check` warns of.
    """

    rows: int
    quarantined: Mapping[str, int] = {}
    quarantined_rows: int | None = None
    set_aside: Mapping[str, int] = {}
    excluded: Mapping[str, int] = {}
    duplicates: int = 0
    corrections: int = 0
    orders: int
    refunds: int = 0
    cancelled: int = 0
    anonymous: int = 0
    customers: frozenset[str] = frozenset()
    gross: Decimal
    refunded: Decimal = Decimal(0)
    net: Decimal
    money: Money
    first: dt.date | None = None
    last: dt.date | None = None
    amounts: Mapping[str, Decimal] | None = None
    days: Mapping[str, dt.date] | None = None
    say: Mapping[str, Mapping[str, Any]] = {}
    profiles: Mapping[str, Mapping[str, Any]] = {}
    features: Features | None = None
    stops: bool | None = None
    check_suspects: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _adds_up(self) -> Expected:
        money = self.money
        went = (
            *(self.gross, self.refunded, money.cancelled, money.excluded),
            *(money.duplicates, money.corrections, money.quarantined),
        )
        if sum(went) != money.in_files:
            raise ValueError(f"{money.in_files} in the files, but {sum(went)} by where it went")
        if self.gross - self.refunded != self.net:
            raise ValueError(f"net {self.net} is not {self.gross} less {self.refunded}")
        return self


class Binary(_Strict):
    """A file's bytes, in base64."""

    base64: str


class Spreadsheet(_Strict):
    """A workbook: its sheets' rows of cells."""

    sheets: Mapping[str, tuple[tuple[Any, ...], ...]]


Content = str | Binary | Spreadsheet
Files = Mapping[str, Content]


class Step(_Strict):
    """A delivery: files that come (again), files that go, the days that are loaded then.

    Attributes:
        files: As of a complaint.
        withdraw: Names of files that are no longer there.
        load: First and last day that is asked for; all days where none are named.
        net: Sales less refunds in silver after it.
        orders: Day of each sale in silver after it, by order.
        features: In gold, made after it.
        excluded: Rows that silver then leaves out, by reason.
    """

    files: Files = {}
    withdraw: tuple[str, ...] = ()
    load: tuple[dt.date, dt.date] | None = None
    net: Decimal
    orders: Mapping[str, dt.date]
    excluded: Mapping[str, int] = {}
    features: Features | None = None


class Complaint(_Strict):
    """One file of `FOLDER`.

    Attributes:
        complaint: What people complained of, in a sentence.
        source: Where, if that is public.
        mapping: The mapping, as YAML; or the name of one that ships.
        encoding: Of the files' text.
        files: Their names and what is in them; a name that ends in .gz is compressed.
        expect: What one load of all files comes to.
        days: First and last day of a deployment with several `steps`.
        steps: Deliveries, one after the other, each loaded as a run loads it.
    """

    complaint: str
    source: str | None = None
    mapping: str
    encoding: str = "utf-8"
    files: Files = {}
    expect: Expected | Refusal | None = None
    days: tuple[dt.date, dt.date] | None = None
    steps: tuple[Step, ...] = ()

    @model_validator(mode="after")
    def _one_kind(self) -> Complaint:
        if (self.expect is None) == (not self.steps) or bool(self.steps) != bool(self.days):
            raise ValueError("give expect, or days and steps")
        return self


def complaints() -> dict[str, Path]:
    """All of them by name."""
    return {file.stem: file for file in sorted(FOLDER.glob("*.yaml"))}


def complaint_in(file: Path) -> Complaint:
    """What a file says; keys that are not known are mistakes."""
    return Complaint.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")))


def content_of(name: str, content: Content, encoding: str) -> bytes:
    """A file's bytes."""
    if isinstance(content, Binary):
        return base64.b64decode(content.base64)
    if isinstance(content, Spreadsheet):
        return _workbook(content)
    data = content.encode(encoding)
    return gzip.compress(data) if name.endswith(".gz") else data


def _workbook(content: Spreadsheet) -> bytes:
    book = Workbook()
    book.remove(book.worksheets[0])
    for name, rows in content.sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    written = io.BytesIO()
    book.save(written)
    return written.getvalue()


def source_of(case: Complaint, folder: Path) -> FilesSource:
    """The source of a complaint's files, which are written to ``folder``."""
    for name, content in case.files.items():
        (folder / name).write_bytes(content_of(name, content, case.encoding))
    return FilesSource(parse_mapping(case.mapping, where="mapping.yaml"), folder)


@dataclass(frozen=True)
class Outcome:
    """What one load of a complaint's files came to.

    Attributes:
        raw: Rows that were read.
        quarantined: Those that broke a rule.
        set_aside: Values read as blank, by reason.
        left_out: Rows of bronze that are no transactions.
        settled: Rows that are, with their outcome.
        made: silver/transactions.
        names: Customers' own ids by their key.
        profiles: silver/customers, where they are asked for.
        features: gold/customer_features, where they are asked for.
        stops: Whether a load goes no further, where that is asked.
    """

    raw: int
    quarantined: list[Row]
    set_aside: Mapping[str, int]
    left_out: list[Row]
    settled: list[Row]
    made: list[Row]
    names: Mapping[str, str]
    profiles: list[Row]
    features: list[Row]
    stops: bool

    @property
    def reasons(self) -> Counter[str]:
        return Counter(reason for row in self.quarantined for reason in row.reasons)

    @property
    def excluded(self) -> Counter[str]:
        of_conflicts = self.of(transactions.CONFLICT)
        return Counter(row.excluded_because for row in (*self.left_out, *of_conflicts))

    def of(self, outcome: str) -> list[Row]:
        """Settled rows of which this became."""
        return [row for row in self.settled if row[transactions.OUTCOME] == outcome]

    def kind(self, kind: str) -> list[Row]:
        """Rows of silver/transactions of a kind."""
        return [row for row in self.made if row.kind == kind]

    def name(self, row: Row) -> str:
        """The source's own id of the row's customer."""
        return self.names.get(row.customer_key, f"unexpected {row.customer_key[:8]}")

    def sales(self, column: str) -> dict[str, Any]:
        """A column of the sales, by their order."""
        return {row.order_id: row[column] for row in self.kind("sale")}


def money(rows: list[Row]) -> Decimal:
    """Sum of the rows' amounts."""
    return sum((row.amount for row in rows if row.amount is not None), Decimal(0))


def run(spark: SparkSession, case: Complaint, folder: Path) -> Outcome:
    """Take the files through bronze, silver and gold, by the layers' own functions."""
    assert isinstance(case.expect, Expected)
    source = source_of(case, folder)
    available = source.available()
    (table,) = source.tables
    contract = source.contract(table)
    raw = source.read_raw(spark, table, *EVER)
    now = dt.datetime.now(dt.UTC)
    received = _at_hand(ingest.received(raw, contract, ingested_at=now, run_id="test"))
    whole = keeps_every_rule(contract)
    counted = received.agg(
        F.count(F.lit(1)).alias("_rows"),
        F.count_if(~whole).alias("_broken"),
        F.struct(F.lit(0), *money_counts(contract, ingest.WORTH, F.lit(False))).alias("_money"),
        *set_aside_counts(contract),
    ).first()
    assert counted is not None
    broken = ingest.rejected(received, contract).collect() if counted["_broken"] else []
    refused = left_out(counted["_money"].asDict(), len(broken), counted["_rows"])
    bronze = {table: ingest.accepted(received, contract)}
    prepared = _at_hand(
        transactions.prepared(
            source.staged_transactions(bronze),
            source=source.name,
            secret=SECRET,
            time_zone=source.time_zone,
            currency=source.currency,
        )
    )
    rows = prepared.collect()
    good = [row for row in rows if row.excluded_because is None]
    settled = _at_hand(
        transactions.settled(prepared, lines=source.order_lines, standing=_standing(prepared, good))
    )
    made = _at_hand(
        transactions.made_of(transactions.kept(settled), order_lines=source.order_lines)
    )
    features: list[Row] = []
    if case.expect.features is not None:
        features = customer_features(customer_days(made), [case.expect.features.as_of]).collect()
    profiles: list[Row] = []
    if case.expect.profiles:
        people = customers.prepared(
            source.staged_customers(bronze), source=source.name, secret=SECRET
        )
        profiles = customers.latest(people).collect()
    outcome = Outcome(
        raw=counted["_rows"],
        quarantined=broken,
        set_aside={k: n for k, n in counted.asDict().items() if n and not k.startswith("_")},
        left_out=[row for row in rows if row.excluded_because is not None],
        settled=settled.collect(),
        made=made.collect(),
        names=_names(source.name, case.expect),
        profiles=profiles,
        features=features,
        stops=case.expect.stops is not None
        and (refused.over(LIMITS) or _leaves_out_too_much(source, prepared, settled)),
    )
    _reconcile(outcome, len(rows))
    today = now.date()  # days to come wait, and are none of a run's
    days = {row.business_date for row in outcome.made if row.business_date <= today}
    if days and source.mapping.date_in_name is None:
        # The days that a run works on are told beforehand, by another reader.
        assert available.first <= min(days) <= max(days) <= available.last
    return outcome


def _leaves_out_too_much(source: FilesSource, prepared: DataFrame, settled: DataFrame) -> bool:
    """Whether conflicts, or what silver leaves out of itself, are more than may be."""
    excluded = transactions.excluded_counts(source.exclusion_reasons, source.stated_exclusions)
    of_rows = prepared.agg(*transactions.received_counts(), *excluded).first()
    of_settled = settled.agg(*transactions.settled_counts()).first()
    assert of_rows is not None
    assert of_settled is not None
    account = transactions.Accounting.of(of_rows.asDict(), of_settled.asDict())
    return too_many(source, account, LIMITS) or account.untold.over(LIMITS)


def _at_hand(frame: DataFrame) -> DataFrame:
    """The few rows of ``frame`` as literals, so that no later query makes them again."""
    return frame.sparkSession.createDataFrame(frame.toArrow())


def _names(source: str, expect: Expected) -> dict[str, str]:
    """The ids that are expected, by their key; who else there is has no name."""
    ids = {*expect.customers, *expect.profiles, *(expect.features.of if expect.features else ())}
    return {customer_key_of(source, who, SECRET): who for who in ids}


def _standing(prepared: DataFrame, good: list[Row]) -> DataFrame | None:
    """Which rows stand of orders that lie on several days, if there are such."""
    days: dict[tuple[Any, ...], set[dt.date]] = {}
    for row in good:
        key = (row.order_id, row.kind == "refund", row.entry, row.line_key)
        days.setdefault(key, set()).add(row.business_date)
    if all(len(found) == 1 for found in days.values()):
        return None
    return transactions.standing_rows(prepared, transactions.moved_keys(prepared))


def _reconcile(outcome: Outcome, prepared: int) -> None:
    """Rows, and the money of those that silver has."""
    rows = (*outcome.left_out, *outcome.settled)
    assert len(rows) == prepared
    beside = sum(row.line_key.endswith(REFUNDED) for row in rows)
    assert outcome.raw == len(outcome.quarantined) + len(rows) - beside
    assert len(outcome.settled) == sum(len(outcome.of(name)) for name in transactions.OUTCOMES)
    assert money(outcome.made) == money(outcome.of(transactions.KEPT))


def told(outcome: Outcome, expect: Expected) -> Expected:
    """What became of the files, in the words of what is expected.

    What was not asked for is as it is expected.
    """
    sales, refunds, cancelled = (outcome.kind(kind) for kind in ("sale", "refund", "cancelled"))
    conflicts = outcome.of(transactions.CONFLICT)
    days = [row.business_date for row in outcome.made]
    gross, refunded = money(sales), money(refunds)
    parts = {
        "excluded": money([*outcome.left_out, *conflicts]),
        "cancelled": money(cancelled),
        "duplicates": money(outcome.of(transactions.DUPLICATE)),
        "corrections": money(outcome.of(transactions.CORRECTION)),
        "quarantined": expect.money.quarantined,
    }
    found = {
        "rows": outcome.raw,
        "quarantined": dict(outcome.reasons),
        "quarantined_rows": len(outcome.quarantined),
        "set_aside": outcome.set_aside,
        "excluded": dict(outcome.excluded),
        "duplicates": len(outcome.of(transactions.DUPLICATE)),
        "corrections": len(outcome.of(transactions.CORRECTION)),
        "orders": len({row.order_id for row in sales}),
        "refunds": len(refunds),
        "cancelled": len(cancelled),
        "anonymous": sum(row.customer_key is None for row in sales),
        "customers": {outcome.name(r) for r in (*sales, *refunds) if r.customer_key},
        "gross": gross,
        "refunded": refunded,
        "net": gross - refunded,
        "money": {"in_files": gross + refunded + sum(parts.values()), **parts},
        "first": min(days, default=None),
        "last": max(days, default=None),
        "amounts": _only(outcome.sales("amount"), expect.amounts),
        "days": _only(outcome.sales("business_date"), expect.days),
        "say": {
            order: {column: _plain(outcome.sales(column).get(order)) for column in columns}
            for order, columns in expect.say.items()
        },
        "profiles": _profiles(outcome, expect),
        "features": None if expect.features is None else _features(outcome, expect.features.as_of),
        "stops": None if expect.stops is None else outcome.stops,
        "check_suspects": expect.check_suspects,
    }
    return Expected.model_validate(found)


def _plain(value: Any) -> Any:
    """A value as YAML has it."""
    return float(value) if isinstance(value, Decimal) else value


def _only(found: dict[str, Any], expected: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return None if expected is None else found


def _profiles(outcome: Outcome, expect: Expected) -> dict[str, dict[str, Any]]:
    found = {row.source_customer_id: row for row in outcome.profiles}
    return {
        who: {column: found[who][column] if who in found else "nobody" for column in columns}
        for who, columns in expect.profiles.items()
    }


def _features(outcome: Outcome, as_of: dt.date) -> Features:
    of = {outcome.name(row): features_of(row) for row in outcome.features}
    return Features(as_of=as_of, of=of)


def features_of(row: Row) -> tuple[Decimal, ...]:
    """`FEATURES` of a row of gold/customer_features, to the cent."""
    return tuple(Decimal(str(row[name])).quantize(_CENT) for name in FEATURES)


def completed(expect: Expected) -> Expected:
    """``expect`` with what follows from the rest written out."""
    rows = expect.quarantined_rows
    of_reasons = sum(expect.quarantined.values()) if rows is None else rows
    return expect.model_copy(update={"quarantined_rows": of_reasons})
