"""One account from file to gold, over a source's whole life: where every row is, and its money.

    rows in the files = bronze + quarantine
    bronze            = taken up by silver + waiting for their day + of days not loaded yet
    taken up          = transactions + excluded by reason + repeats, corrections, lines of one order
    transactions      = customer_days (of those with a customer) = business_health, in money too

Each load of silver is followed by a note, in a commit of silver/customer_days, of what bronze,
silver/transactions and quarantine/transactions hold of each of its days (`noted_account`). It is
carried from commit to commit, so that the newest says all. `reconcile` counts the tables anew and
holds them against the note and against each other: rows that are lost, come twice or were never
taken up show as a day on which two counts differ.

Rows that went because of their age are rows of bronze or of a quarantine all the same: what these
held of closed days is in quarantine/expired, and is counted as it was (`closed_days`).

Counted by DuckDB in the files of the tables, not by what wrote them. Money of files, bronze and
quarantine is what rows are worth as the source writes it, without sign, rates or discounts; money
of another currency has no sum with it and is none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from customer360.contracts.reasons import DELETED
from customer360.days import DayRange, ranges_of
from customer360.deployment import Deployment
from customer360.errors import counted_rows
from customer360.lakehouse.reading import Tables
from customer360.lakehouse.tables import days_predicate
from customer360.pipeline.bronze_accounts import DELIVERY_DAY
from customer360.pipeline.closed_days import BRONZE, closed_before, gone
from customer360.pipeline.quarantine import of_raw, worth_rejected
from customer360.pipeline.workspace import newest_note
from customer360.pipeline.worth import reads_plainly, worth_in_bronze, worth_sql
from customer360.sources.base import ChangingSource, Source
from customer360.table_names import CUSTOMER_DAYS, HEALTH, REJECTED, TRANSACTIONS, quarantine_of

RAW = "raw"
"""Of a bronze commit's note: raw rows, of an extract or by day of a daily delivery."""

PAST = "past retention"
"""What is said of rows that went because of their age."""

_NOTE = "account"
_SIGNED = "CASE kind WHEN 'sale' THEN amount WHEN 'refund' THEN -amount ELSE 0 END"
_NOTHING = Decimal(0)


@dataclass(frozen=True)
class DayHoldings:
    """What the tables hold of one source's day.

    Attributes:
        bronze: Rows whose own date it is.
        silver: Transactions.
        excluded: Rows in quarantine/transactions.
        net: Sales less refunds of the transactions.
        gross: Their amounts, whatever their kind; None where an older release noted it.
    """

    bronze: int = 0
    silver: int = 0
    excluded: int = 0
    net: Decimal = _NOTHING
    gross: Decimal | None = _NOTHING


Account = dict[str, dict[date, DayHoldings]]
"""By source and day; days of which nothing is held are left out."""


@dataclass(frozen=True)
class NotedAccount:
    """What was noted when silver was made last.

    Attributes:
        made: Days that have been made.
        held: What there was of them.
    """

    made: tuple[DayRange, ...]
    held: Account

    def has_made(self, day: date) -> bool:
        """Whether the day has been made."""
        return any(day in days for days in self.made)

    def text(self) -> dict[str, Any]:
        """For a commit's note."""
        return {
            "made": [[str(days.first), str(days.last)] for days in self.made],
            "held": {
                source: {
                    str(day): [
                        *(h.bronze, h.silver, h.excluded, str(h.net)),
                        *([] if h.gross is None else [str(h.gross)]),
                    ]
                    for day, h in sorted(days.items())
                }
                for source, days in self.held.items()
            },
        }

    @classmethod
    def of(cls, text: Mapping[str, Any]) -> NotedAccount:
        """The account that a commit's note holds, as `text` wrote it."""
        made = (DayRange(*map(date.fromisoformat, pair)) for pair in text["made"])
        held = {
            source: {
                date.fromisoformat(day): DayHoldings(
                    bronze, silver, excluded, Decimal(net), Decimal(gross[0]) if gross else None
                )
                for day, (bronze, silver, excluded, net, *gross) in days.items()
            }
            for source, days in text["held"].items()
        }
        return cls(tuple(made), held)


@dataclass(frozen=True)
class Line:
    """One line of the account.

    Attributes:
        source: Whose rows.
        table: Where they are.
        what: What they are there.
        rows: How many; None where it is not known.
        money: What they are worth; None where that is not known, or there is none.
    """

    source: str
    table: str
    what: str
    rows: int | None
    money: Decimal | None = None


@dataclass(frozen=True)
class Reconciled:
    """The account, and where it does not close: a sentence each."""

    lines: Sequence[Line]
    differences: Sequence[str]
    currency: str = ""
    left_out: Sequence[Line] = field(default_factory=tuple)


def note_of(tables: Tables) -> NotedAccount | None:
    """The newest note; None where an older release made the tables."""
    note = newest_note(tables, CUSTOMER_DAYS, _NOTE)
    return None if note is None else NotedAccount.of(note[_NOTE])


def noted_account(
    tables: Tables, deployment: Deployment, days: Collection[date]
) -> dict[str, dict[str, Any]]:
    """What the note of a commit that made silver of ``days`` says, for `workspace.days_note`.

    Of days that were made before, what was noted then; where nothing was, they are counted now.
    """
    known = note_of(tables)
    if known is None:
        made = set(days)
        if tables.exists(CUSTOMER_DAYS):  # an older release made it
            newest = tables.maximum(TRANSACTIONS, "business_date")
            first = deployment.settings.start_date
            made |= set(DayRange(first, newest)) if newest and newest >= first else set()
        return {_NOTE: NotedAccount(ranges_of(made), _held(tables, deployment, made)).text()}
    now = _held(tables, deployment, days)
    replaced = set(days)
    held = {
        source: {
            day: what for day, what in known.held.get(source, {}).items() if day not in replaced
        }
        | now.get(source, {})
        for source in {*known.held, *now}
    }
    made = replaced.union(*map(set, known.made))
    return {_NOTE: NotedAccount(ranges_of(made), _as_taken(tables, known, held)).text()}


def _as_taken(tables: Tables, known: NotedAccount, held: Account) -> Account:
    """``held``, where of closed days bronze is what silver was made of, whatever came since."""
    closed = closed_before(tables, BRONZE)
    if closed is None:
        return held
    none = DayHoldings()
    return {
        source: {
            day: replace(each, bronze=known.held.get(source, {}).get(day, none).bronze)
            if day < closed
            else each
            for day, each in days.items()
        }
        for source, days in held.items()
    }


def raw_note(
    tables: Tables, table: str, counts: Mapping[date, int], days: DayRange
) -> dict[str, Any]:
    """Raw rows by delivery day, for the note of a commit that loads ``days`` of a daily table."""
    known = _raw_by_day(tables, table) or {}
    kept = {day: rows for day, rows in known.items() if day not in days}
    now = kept | {day: rows for day, rows in counts.items() if rows}
    return {RAW: {str(day): rows for day, rows in sorted(now.items())}}


def reconcile(tables: Tables, deployment: Deployment) -> Reconciled:
    """The whole account of all sources, counted now.

    Raises:
        TableNotFoundError: Nothing has been loaded yet.
    """
    noted = note_of(tables)
    tables.require(TRANSACTIONS)
    lines: list[Line] = []
    wrong: list[str] = []
    left_out: list[Line] = []
    made = _made(tables, None)
    excluded = _excluded(tables, deployment, None)
    closed = closed_before(tables, BRONZE)
    for source in deployment.sources:
        accepted: list[_Accepted] = []
        for table in source.tables:
            accepted_by_table = _accepted(tables, source, table)
            _received(tables, source, table, accepted_by_table, lines, wrong, left_out)
            if table == source.transactions_table:
                accepted = accepted_by_table
        own = [each for each in made if each.source == source.name]
        out = [each for each in excluded if each.source == source.name]
        late = 0
        if noted is not None:
            bronze = Counter[date]()
            for each in accepted:
                if each.day is not None:
                    bronze[each.day] += each.rows
            held = _account({source.name: bronze}, own, out).get(source.name, {})
            wrong += _against_note(deployment, source, held, noted, closed)
            late = _late(source, held, noted, closed)
            if late:
                bronze_table = f"bronze/{source.transactions_table}"
                lines.append(
                    Line(source.name, bronze_table, "came when their day was closed", late)
                )
        lines += _by_silver(deployment, source, accepted, own, out, noted, left_out, late)
    if noted is None:
        wrong.append(
            f"{CUSTOMER_DAYS}: no account was noted with it, an older release made it: run "
            f"`{deployment.settings.command('run --steps etl')}` once"
        )
    lines += _gold(tables, made, wrong)
    return Reconciled(lines, wrong, deployment.currency, left_out)


def _late(
    source: Source, held: Mapping[date, DayHoldings], noted: NotedAccount, closed: date | None
) -> int:
    """Rows of closed days that silver was not made of: they came later."""
    was, none = noted.held.get(source.name, {}), DayHoldings()
    return sum(
        max(0, now.bronze - was.get(day, none).bronze)
        for day, now in held.items()
        if closed is not None and day < closed and noted.has_made(day)
    )


def waiting(reconciled: Reconciled) -> list[str]:
    """What waits for its day, a sentence each."""
    until = {
        _TODAY: ("of today", "tomorrow"),
        _TOMORROW: ("of tomorrow", "the day after"),
        _LATER: ("of later days", "these are over"),
    }
    return [
        f"{counted_rows(line.rows or 0)} of {line.source} {until[line.what][0]} "
        f"wait{'' if line.rows != 1 else 's'} until {until[line.what][1]}"
        for line in reconciled.left_out
        if line.what in until
    ]


def _received(
    tables: Tables,
    source: Source,
    table: str,
    accepted: Sequence[_Accepted],
    lines: list[Line],
    wrong: list[str],
    left_out: list[Line],
) -> None:
    """Files, bronze and quarantine of one table."""
    bronze = f"bronze/{table}"
    accepted_by_day = Counter[date | None]()
    worth: Decimal | None = None
    for each in accepted:
        accepted_by_day[each.delivered] += each.rows
        worth = worth if each.worth is None else (worth or _NOTHING) + each.worth
    reasons, refused_by_day = _refused(tables, source, table)
    raw, differing = _against_files(tables, source, table, accepted_by_day, refused_by_day)
    for day, received, accepted_rows, refused_rows in differing[:1]:
        of_day = "" if day is None else f"of {day} "
        more = f" (and {len(differing) - 1} other days)" if len(differing) > 1 else ""
        wrong.append(
            f"{bronze}: {received:,} rows {of_day}came in, {accepted_rows:,} are in it and "
            f"{refused_rows:,} in {quarantine_of(table)}{more}: "
            f"{_remedy(day, closed_before(tables, BRONZE), 'load these days again')}"
        )
    refused_money = [line.money for line in reasons if line.money is not None]
    whole = None if worth is None else _cents(sum(refused_money, worth))
    lines.append(Line(source.name, "files", "rows received", raw, whole))
    here = [each for each in accepted if not each.gone]
    kept = _total(each.worth for each in here)
    lines.append(Line(source.name, bronze, "accepted", sum(e.rows for e in here), _cents(kept)))
    expired = [each for each in accepted if each.gone]
    if expired:
        money = _cents(_total(each.worth for each in expired))
        lines.append(Line(source.name, bronze, PAST, sum(e.rows for e in expired), money))
    lines.extend(reasons)
    left_out.extend(reasons)


def _refused(tables: Tables, source: Source, table: str) -> tuple[list[Line], Counter[date | None]]:
    """What is in a bronze table's quarantine, by reason; and how many of it files brought, by day.

    A row that the source has deleted since is there, and was accepted when it came.
    """
    quarantine = quarantine_of(table)
    refused_by_day = Counter[date | None]()
    if not tables.exists(quarantine):
        return [], refused_by_day
    groups = tables.ask(
        f"""
        SELECT {DELIVERY_DAY}, array_to_string(reasons, ' and '), count(*),
               sum({worth_sql(source, table, of_raw)})
        FROM rows GROUP BY ALL ORDER BY 2
        """,
        rows=quarantine,
    )
    reasons: dict[str, Line] = {}
    worth = worth_sql(source, table, of_raw)
    past = gone(tables, quarantine, worth=worth)
    for each in past:
        if each.reason != DELETED:
            refused_by_day[each.delivered_on] += each.rows
    if past:
        money = _total(each.money for each in past)
        reasons[PAST] = Line(source.name, quarantine, PAST, sum(e.rows for e in past), money)
    for day, reason, rows, money in groups:
        before = reasons.get(reason, Line(source.name, quarantine, reason, 0))
        total = before.money if money is None else (before.money or _NOTHING) + money
        reasons[reason] = Line(source.name, quarantine, reason, (before.rows or 0) + rows, total)
        if reason != DELETED:
            refused_by_day[day] += rows
    return list(reasons.values()), refused_by_day


def _against_files(
    tables: Tables,
    source: Source,
    table: str,
    accepted: Counter[date | None],
    refused: Counter[date | None],
) -> tuple[int | None, Sequence[tuple[date | None, int, int, int]]]:
    """Rows that the files had, where that was noted, and where they are not accounted for.

    Args:
        tables: Where the tables are.
        source: Whose table it is.
        table: The bronze table, without its layer.
        accepted: Its rows by day of delivery.
        refused: Those of its quarantine.

    Returns:
        Rows received, and ``(day of delivery, received, accepted, refused)`` where they differ.
    """
    bronze = f"bronze/{table}"
    if source.delivery(table) == "daily":
        stated = _raw_by_day(tables, bronze)
        if stated is None:
            return None, []
        # A home of an older release states the days that were loaded since.
        known = all(day in stated for day in (*accepted, *refused))
        differing = [
            (day, stated[day], accepted[day], refused[day])
            for day in sorted(stated)
            if stated[day] != accepted[day] + refused[day]
        ]
        return sum(stated.values()) if known else None, differing
    if isinstance(source, ChangingSource):
        return None, []
    raw = _raw_of_extract(tables, bronze)
    if raw is None or raw == accepted.total() + refused.total():
        return raw, []
    return raw, [(None, raw, accepted.total(), refused.total())]


def _by_silver(
    deployment: Deployment,
    source: Source,
    accepted: Sequence[_Accepted],
    made: Sequence[_Made],
    excluded: Sequence[_Excluded],
    noted: NotedAccount | None,
    left_out: list[Line],
    late: int,
) -> list[Line]:
    """What silver made of the accepted rows, but for those that came ``late``."""
    table = f"bronze/{source.transactions_table}"
    today, last = deployment.today(), deployment.last_day()
    rows = Counter[str]()
    money: dict[str, Decimal] = {}
    for each in accepted:
        place = _place(each.day, noted, today, last)
        rows[place] += each.rows
        if each.worth is not None:
            money[place] = money.get(place, _NOTHING) + each.worth
    outside = [
        Line(source.name, table, what, rows[what], _cents(money.get(what)))
        for what in sorted(rows)
        if what != _TAKEN
    ]
    kept_out = [
        Line(
            source.name,
            REJECTED,
            reason,
            sum(each.rows for each in excluded if each.reason == reason),
            _cents(_total(each.money for each in excluded if each.reason == reason)),
        )
        for reason in sorted({each.reason for each in excluded})
    ]
    orders, net = sum(each.rows for each in made), sum((m.net for m in made), _NOTHING)
    rows[_TAKEN] -= late
    if late:  # which money is theirs cannot be told
        money.pop(_TAKEN, None)
    lines = [
        Line(source.name, TRANSACTIONS, _TAKEN, rows[_TAKEN], _cents(money.get(_TAKEN))),
        Line(source.name, TRANSACTIONS, "orders and refunds", orders, net),
    ]
    merged = rows[_TAKEN] - orders - sum(line.rows or 0 for line in kept_out)
    if merged:
        what = "repeats, corrections, lines of one order"
        if merged < 0:
            what = "less refunds beside their sale"
        lines.append(
            Line(
                source.name,
                TRANSACTIONS,
                what,
                merged,
                _merged_money(source, lines[0], made, kept_out),
            )
        )
    left_out.extend([*outside, *kept_out])
    return [*lines, *kept_out, *outside]


def _merged_money(
    source: Source, taken: Line, made: Sequence[_Made], kept_out: Sequence[Line]
) -> Decimal | None:
    """What was taken up and is no transaction's; None where texts do not tell amounts plainly."""
    if taken.money is None or not reads_plainly(source):
        return None
    gone = sum((line.money for line in kept_out if line.money is not None), _NOTHING)
    return taken.money - sum((each.gross for each in made), _NOTHING) - gone


_TAKEN = "taken up"
_TODAY, _TOMORROW, _LATER = "waiting: of today", "waiting: of tomorrow", "waiting: of later days"


def _place(day: date | None, noted: NotedAccount | None, today: date, last: date) -> str:
    """Where an accepted row is, by its own date."""
    if day is None:
        return "left out by the mapping, without a date"
    if noted is None or noted.has_made(day):
        return _TAKEN
    if day == today:
        return _TODAY
    if day == today + timedelta(days=1):
        return _TOMORROW
    if day > last:
        return _LATER
    return "of days not loaded"


def _against_note(
    deployment: Deployment,
    source: Source,
    held: Mapping[date, DayHoldings],
    noted: NotedAccount,
    closed: date | None,
) -> list[str]:
    """Days on which a table has not what silver was made from, or made: the first of each.

    Into closed days more may have come, which nothing was made of.
    """
    was, none = noted.held.get(source.name, {}), DayHoldings()
    days = sorted(day for day in {*was, *held} if noted.has_made(day))
    tables = {
        "bronze": f"bronze/{source.transactions_table}",
        "silver": TRANSACTIONS,
        "excluded": REJECTED,
        "net": TRANSACTIONS,
        "gross": TRANSACTIONS,
    }
    differences: list[str] = []
    for name, table in tables.items():
        figures = (
            (day, getattr(was.get(day, none), name), getattr(held.get(day, none), name))
            for day in days
        )
        differing = [
            (day, then, now)
            for day, then, now in figures
            if then not in (None, now)
            and not (name == "bronze" and closed is not None and day < closed and now > then)
        ]
        money = name in ("net", "gross")
        if not differing or (money and any(line.startswith(TRANSACTIONS) for line in differences)):
            continue
        day, then, now = differing[0]
        unit = f"{source.currency} {name}" if money else "rows"
        more = f" (and {len(differing) - 1} other days)" if len(differing) > 1 else ""
        again = deployment.settings.command(f"run --steps etl --from {day} --to {day}")
        differences.append(
            f"{table}: {now:,} {unit} of {source.name} on {day}, where {then:,} were accounted "
            f"for{more}: {_remedy(day, closed, f'run `{again}`')}"
        )
    stray = sorted(day for day in held if held[day].silver and not noted.has_made(day))
    if stray:
        differences.append(
            f"{TRANSACTIONS}: rows of {source.name} on {stray[0]}, which was never made: run "
            f"`{deployment.settings.command('run --steps etl')}`"
        )
    return differences


def _remedy(day: date | None, closed: date | None, again: str) -> str:
    """What to do about a day that does not close: to load it ``again``, where it can be."""
    if day is None or closed is None or day >= closed:
        return again
    return (
        "the day is past retention_days and not loaded again, so restore a backup of before by "
        "`customer360 restore`"
    )


def _gold(tables: Tables, made: Sequence[_Made], wrong: list[str]) -> list[Line]:
    """The same money and orders in what is made of silver/transactions."""
    lines = []
    for table, what, of in (
        (CUSTOMER_DAYS, "orders and refunds of customers", _Made.of_customers),
        (HEALTH, "orders and refunds", _Made.of_all),
    ):
        if not tables.exists(table):
            continue
        stated = {
            day: (int(orders or 0), int(refunds or 0), Decimal(net or 0))
            for day, orders, refunds, net in tables.ask(
                "SELECT business_date, sum(orders), sum(refunds), sum(net_revenue) FROM rows "
                "GROUP BY ALL",
                rows=table,
            )
        }
        counted: dict[date, tuple[int, int, Decimal]] = {}
        for each in made:
            before, more = counted.get(each.day, _NONE), of(each)
            counted[each.day] = (before[0] + more[0], before[1] + more[1], before[2] + more[2])
        differing = [
            day
            for day in sorted({*stated, *counted})
            if stated.get(day, _NONE) != counted.get(day, _NONE)
        ]
        if differing:
            day = differing[0]
            (o, r, n), (p, q, m) = stated.get(day, _NONE), counted.get(day, _NONE)
            others = f" (and {len(differing) - 1} other days)" if len(differing) > 1 else ""
            wrong.append(
                f"{table}: {o:,} orders, {r:,} refunds, {n:,} net on {day}, where {TRANSACTIONS} "
                f"has {p:,}, {q:,} and {m:,}{others}: "
                f"{_remedy(day, closed_before(tables, BRONZE), 'load these days again')}"
            )
        rows = sum(o + r for o, r, _ in stated.values())
        net = sum((n for *_, n in stated.values()), _NOTHING)
        lines.append(Line("all", table, what, rows, net))
    return lines


# What the tables hold, each asked once.

_NONE = (0, 0, _NOTHING)


@dataclass(frozen=True)
class _Accepted:
    """Bronze rows of one delivery and one date of their own; ``gone``: they were, and went."""

    delivered: date | None
    day: date | None
    rows: int
    worth: Decimal | None
    gone: bool = False


@dataclass(frozen=True)
class _Made:
    """Transactions of one source and day; those of customers apart."""

    source: str
    day: date
    rows: int
    net: Decimal
    gross: Decimal
    orders: int
    refunds: int
    customers_net: Decimal
    customers_orders: int
    customers_refunds: int

    def of_all(self) -> tuple[int, int, Decimal]:
        """Orders, refunds and net revenue."""
        return self.orders, self.refunds, self.net

    def of_customers(self) -> tuple[int, int, Decimal]:
        """The same of those that name a customer."""
        return self.customers_orders, self.customers_refunds, self.customers_net


@dataclass(frozen=True)
class _Excluded:
    """Rows that silver kept out, of one source, day and reason."""

    source: str
    day: date
    reason: str
    rows: int
    money: Decimal | None


def _accepted(tables: Tables, source: Source, table: str) -> list[_Accepted]:
    worth = worth_in_bronze(source, table)
    rows = tables.ask(
        f"SELECT {DELIVERY_DAY}, _event_date, count(*), sum({worth}) FROM rows GROUP BY ALL",
        rows=f"bronze/{table}",
    )
    past = gone(tables, f"bronze/{table}", worth=worth)
    return [
        *(_Accepted(*row) for row in rows),
        *(_Accepted(e.delivered_on, e.own_day, e.rows, e.money, gone=True) for e in past),
    ]


def _made(tables: Tables, days: Collection[date] | None) -> list[_Made]:
    named = "customer_key IS NOT NULL"
    rows_by_day = tables.ask(
        f"""
        SELECT source, business_date, count(*), sum({_SIGNED}), sum(amount),
               count(*) FILTER (kind = 'sale'), count(*) FILTER (kind = 'refund'),
               coalesce(sum({_SIGNED}) FILTER ({named}), 0),
               count(*) FILTER (kind = 'sale' AND {named}),
               count(*) FILTER (kind = 'refund' AND {named})
        FROM rows WHERE {_within("business_date", days)} GROUP BY ALL
        """,
        rows=TRANSACTIONS,
    )
    return [
        _Made(
            source, day, rows, Decimal(net), Decimal(gross), orders, refunds, Decimal(own), *counts
        )
        for source, day, rows, net, gross, orders, refunds, own, *counts in rows_by_day
    ]


def _excluded(
    tables: Tables, deployment: Deployment, days: Collection[date] | None
) -> list[_Excluded]:
    if not tables.exists(REJECTED):
        return []
    rows = tables.ask(
        f"""
        SELECT raw ->> '$.source', business_date, reasons[1], count(*),
               sum({worth_rejected(deployment)})
        FROM rows WHERE business_date IS NOT NULL AND {_within("business_date", days)}
        GROUP BY ALL
        """,
        rows=REJECTED,
    )
    past = gone(tables, REJECTED, worth=worth_rejected(deployment))
    return [
        *(_Excluded(*row) for row in rows),
        *(
            _Excluded(str(each.source), each.own_day, PAST, each.rows, each.money)
            for each in past
            if each.own_day is not None and (days is None or each.own_day in days)
        ),
    ]


def _held(tables: Tables, deployment: Deployment, days: Collection[date]) -> Account:
    """What the tables hold now of ``days``."""
    bronze: dict[str, Counter[date]] = {}
    closed = closed_before(tables, BRONZE)
    some_closed = closed is not None and any(day < closed for day in days)
    for source in deployment.sources:
        counts = tables.ask(
            f"""
            SELECT _event_date, count(*) FROM rows
            WHERE {_within("_event_date", days)} GROUP BY ALL
            """,
            rows=f"bronze/{source.transactions_table}",
        )
        bronze[source.name] = Counter(dict(counts))
        past = gone(tables, f"bronze/{source.transactions_table}") if some_closed else []
        for each in past:
            if each.own_day is not None and each.own_day in days:
                bronze[source.name][each.own_day] += each.rows
    return _account(bronze, _made(tables, days), _excluded(tables, deployment, days))


def _account(
    bronze: Mapping[str, Mapping[date, int]],
    made: Iterable[_Made],
    excluded: Iterable[_Excluded],
) -> Account:
    silver = {(each.source, each.day): each for each in made}
    kept_out = Counter[tuple[str, date]]()
    for each in excluded:
        kept_out[each.source, each.day] += each.rows
    accepted = {(source, day): n for source, days in bronze.items() for day, n in days.items()}
    account: Account = {}
    for source, day in {*accepted, *silver, *kept_out}:
        stored = silver.get((source, day))
        account.setdefault(source, {})[day] = DayHoldings(
            accepted.get((source, day), 0),
            stored.rows if stored else 0,
            kept_out[source, day],
            stored.net if stored else _NOTHING,
            stored.gross if stored else _NOTHING,
        )
    return account


def _within(column: str, days: Collection[date] | None) -> str:
    return "true" if days is None else days_predicate(column, days)


def _total(amounts: Iterable[Decimal | None]) -> Decimal | None:
    known = [amount for amount in amounts if amount is not None]
    return sum(known, _NOTHING) if known else None


def _raw_by_day(tables: Tables, table: str) -> dict[date, int] | None:
    stated = (newest_note(tables, table, RAW) or {}).get(RAW)
    if not isinstance(stated, dict):
        return None
    return {date.fromisoformat(day): rows for day, rows in stated.items()}


def _raw_of_extract(tables: Tables, table: str) -> int | None:
    note = newest_note(tables, table, RAW)
    return None if note is None else int(note[RAW])


def _cents(money: Decimal | None) -> Decimal | None:
    return None if money is None else money.quantize(Decimal("0.01"))
