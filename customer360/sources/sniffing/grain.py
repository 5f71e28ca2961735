"""What a row is: an order, a line of one, a refund, a state of an order, a total."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import duckdb
import pyarrow as pa

from customer360.contracts.sql import sql_name, sql_text
from customer360.sources.sniffing import words
from customer360.sources.sniffing.roles import Chosen
from customer360.sources.sniffing.values import Column

_FEW = 40  # different values of a column that says what kind of row it is
_NEGATIVE = r"^\s*[^\d]{0,4}[(−–-]|[-−–]\s*$"


@dataclass(frozen=True)
class Rule:
    """A condition of a mapping: a column, and the texts or the test that a row fits.

    Attributes:
        column: The column.
        equals: Its values; none where ``test`` says it.
        test: As YAML, such as ``below: 0``.
        kind: Of a cancellation.
        reason: Of an exclusion.
        why: What speaks for it.
    """

    column: str
    equals: tuple[str, ...] = ()
    test: str = ""
    kind: Literal["refund", "cancelled"] = "refund"
    reason: str = ""
    why: str = ""


@dataclass
class RowProfile:
    """What the rows are.

    Attributes:
        grain: What a row is.
        why: What speaks for it.
        order_id: Columns that together are an order's id.
        amount: What money to take: ``amount``, or ``quantity`` and ``unit_price``.
        alike: Rows that repeat another in every column.
        cancellations: Rows that take something back.
        discounts: Lines taken off their order.
        exclude: Rows that are no orders.
        states: Rows of an order are its states: the last counts.
        numbered: The column of line ids tells the lines of each order apart.
        fill_down: Columns whose blanks mean what the row above says.
        decide: What the user is to look at.
    """

    grain: Literal["orders", "lines"] = "orders"
    why: str = ""
    order_id: tuple[str, ...] = ()
    amount: tuple[str, ...] = ("amount",)
    alike: int = 0
    cancellations: list[Rule] = field(default_factory=list)
    discounts: list[Rule] = field(default_factory=list)
    exclude: list[Rule] = field(default_factory=list)
    states: bool = False
    numbered: bool = False
    fill_down: tuple[str, ...] = ()
    decide: list[str] = field(default_factory=list)


def look_at_rows(
    rows: pa.Table, columns: Sequence[Column], roles: dict[str, Chosen], decimal: str
) -> RowProfile:
    """What ``rows`` are, by the columns of ``roles``.

    Args:
        rows: All columns as text, trimmed; null where nothing is.
        columns: What is known of each.
        roles: Those that were found.
        decimal: Mark of the decimals.
    """
    profile = RowProfile(order_id=tuple(_name(roles, "order_id")))
    with duckdb.connect() as connection:
        connection.register("sample", rows)
        queries = _Queries(connection, roles, decimal)
        profile.alike = rows.num_rows - queries.number(
            "SELECT count(*) FROM (SELECT DISTINCT * FROM sample)"
        )
        _kinds(profile, queries, columns, roles)
        if not profile.order_id:
            return profile
        _totals(profile, queries, roles)
        _blanks(profile, queries, roles)
        queries.leave_out(profile)
        _repeats(profile, queries, columns, roles)
        _money(profile, queries, roles)
        _below_zero(profile, queries, columns, roles)
    return profile


class _Queries:
    """Questions about the rows, by SQL."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, roles: dict[str, Chosen], decimal: str
    ) -> None:
        self.connection = connection
        self.roles = roles
        self.decimal = decimal
        self.sales = "true"

    def number(self, sql: str) -> int:
        return int(self.row(sql)[0] or 0)

    def row(self, sql: str) -> tuple[Any, ...]:
        row = self.connection.execute(sql).fetchone()
        return row if row is not None else (0,)

    def column(self, sql: str) -> list[str]:
        return [str(row[0]) for row in self.connection.execute(sql).fetchall()]

    def of(self, role: str) -> str:
        return sql_name(self.roles[role].column.name)

    def value(self, role: str) -> str:
        """SQL of a number: what stands beside it is passed over, parentheses are a minus."""
        column = self.of(role)
        kept = f"regexp_replace({column}, '[^0-9{self.decimal}]', '', 'g')"
        size = f"try_cast(replace({kept}, {sql_text(self.decimal)}, '.') AS double)"
        return f"(CASE WHEN {self.below(role)} THEN -1 ELSE 1 END * {size})"

    def below(self, role: str) -> str:
        return f"regexp_matches({self.of(role)}, {sql_text(_NEGATIVE)})"

    def leave_out(self, profile: RowProfile) -> None:
        """Ask about sales alone from now on."""
        rules = [*profile.cancellations, *profile.exclude]
        fits = [
            f"coalesce({sql_name(rule.column)} IN ({', '.join(map(sql_text, rule.equals))}), false)"
            for rule in rules
            if rule.equals
        ]
        self.sales = f"NOT ({' OR '.join(fits)})" if fits else "true"


def _name(roles: dict[str, Chosen], role: str) -> list[str]:
    return [roles[role].column.name] if role in roles else []


def _kinds(
    profile: RowProfile, queries: _Queries, columns: Sequence[Column], roles: dict[str, Chosen]
) -> None:
    """What columns of few values say of a row: refunded, cancelled, not paid."""
    free = ("name", "product_id")  # some columns that are called so say what a row is
    taken = {chosen.column.name for role, chosen in roles.items() if role not in free}
    for column in columns:
        if column.name in taken or column.distinct > _FEW or column.is_number or column.is_time:
            continue
        named = words.is_named(column.name, words.KINDS)
        spelt = {text: words.plain(text) for text in column.texts}
        refunds, cancelled, not_paid, tests = (
            tuple(sorted(text for text, word in spelt.items() if word in known))
            for known in (words.REFUNDS, words.CANCELLED, words.NOT_PAID, words.TESTS)
        )
        partly = tuple(sorted(text for text, word in spelt.items() if word in words.PARTLY))
        if not (refunds or cancelled or ((not_paid or tests or partly) and named)):
            continue
        if not named and column.distinct > 12:
            continue
        if refunds and "refunded" in roles:
            profile.decide.append(
                f"{column.name}: rows that are {_listed(refunds)} count as sales less what "
                f"{roles['refunded'].column.name} says"
            )
        elif refunds:
            profile.cancellations.append(_given_back(queries, column.name, refunds, roles))
        if partly and named and "refunded" not in roles:
            profile.decide.append(
                f"{column.name}: rows that are {_listed(partly)} count whole: no column says how "
                "much was given back; name it as refunded if there is one"
            )
        if cancelled:
            rule = Rule(column.name, cancelled, kind="cancelled", why=f"{column.name} says so")
            profile.cancellations.append(rule)
        if not_paid and named:
            why = "no money has come: leave the rule out if such orders count"
            profile.exclude.append(Rule(column.name, not_paid, reason="not_paid", why=why))
        if tests:
            profile.exclude.append(Rule(column.name, tests, reason="test", why="no real order"))


def _given_back(
    queries: _Queries, column: str, refunds: Sequence[str], roles: dict[str, Chosen]
) -> Rule:
    """What rows are that a column calls given back.

    Beside a row of the same order (and line, where lines have ids) such a row takes from what was
    sold. Where it is the only one, its column says what became of the sale itself: the money came
    and went back, so there is none. But a row of its own below zero, that names another order, or
    that is called so by its type and not by its state, is a refund of a sale in another file.
    """
    rule = Rule(column, tuple(refunds), why=f"{column} says so")
    if "order_id" not in roles:
        return rule
    is_refund = f"coalesce({sql_name(column)} IN ({', '.join(map(sql_text, refunds))}), false)"
    keys = [queries.of(role) for role in ("order_id", "line_id") if role in roles]
    beside = queries.number(
        f"SELECT count(*) FROM (SELECT 1 FROM sample GROUP BY {', '.join(keys)} "
        f"HAVING count_if({is_refund}) > 0 AND count_if(NOT {is_refund}) > 0)"
    )
    below = " OR ".join(
        f"coalesce({queries.below(role)}, false)"
        for role in ("amount", "quantity", "unit_price")
        if role in roles
    )
    if "related_order_id" in roles:
        below = f"{below or 'false'} OR {queries.of('related_order_id')} IS NOT NULL"
    of_its_own = queries.number(
        f"SELECT count(*) FROM sample WHERE {is_refund} AND ({below or 'false'})"
    )
    if beside or of_its_own or words.is_named(column, words.TYPES):
        return rule
    why = f"{column} says it of the sale's own row: all was given back, and no money is left"
    return Rule(column, tuple(refunds), kind="cancelled", why=why)


def _totals(profile: RowProfile, queries: _Queries, roles: dict[str, Chosen]) -> None:
    column = roles["order_id"].column
    totals = [text for text in column.texts if words.plain(text.rstrip(":")) in words.TOTALS]
    if totals:
        why = "a sum of the rows above, and no order"
        profile.exclude.append(Rule(column.name, tuple(sorted(totals)), reason="total", why=why))


def _blanks(profile: RowProfile, queries: _Queries, roles: dict[str, Chosen]) -> None:
    """Rows without an order id below one that has it continue that order."""
    order = queries.of("order_id")
    others = [role for role in ("customer_id", "occurred_at") if role in roles]
    blank = " AND ".join(f"{queries.of(role)} IS NULL" for role in others) or "true"
    money = [role for role in ("amount", "unit_price", "quantity") if role in roles]
    with_money = " OR ".join(f"{queries.of(role)} IS NOT NULL" for role in money) or "false"
    continued = queries.number(
        f"SELECT count(*) FROM sample WHERE {order} IS NULL AND {blank} AND ({with_money})"
    )
    every = queries.number("SELECT count(*) FROM sample")
    if continued > every / 20:
        fields = dict.fromkeys(roles[role].column.name for role in ("order_id", *others))
        profile.fill_down = tuple(fields)
        queries.connection.execute(
            "CREATE TEMP VIEW numbered AS SELECT *, row_number() OVER () AS __row FROM sample"
        )
        filled = ", ".join(
            f"last_value({sql_name(one)} IGNORE NULLS) OVER (ORDER BY __row) AS {sql_name(one)}"
            for one in fields
        )
        queries.connection.execute(
            f"CREATE TEMP TABLE filled AS SELECT * EXCLUDE (__row) REPLACE ({filled}) FROM numbered"
        )
        queries.connection.unregister("sample")
        queries.connection.execute("CREATE TEMP VIEW sample AS FROM filled")


def _repeats(
    profile: RowProfile, queries: _Queries, columns: Sequence[Column], roles: dict[str, Chosen]
) -> None:
    """Whether order ids repeat, and what tells the rows of one apart."""
    order = queries.of("order_id")
    different = f"(SELECT DISTINCT * FROM sample WHERE {order} IS NOT NULL AND {queries.sales})"
    ids = queries.number(f"SELECT count(DISTINCT {order}) FROM sample WHERE {queries.sales}")
    others = [column.name for column in columns if column.name != roles["order_id"].column.name]
    repeated, on, shares = _differences(queries, order, others, different)
    if not repeated:
        whose = "the order id" if ids == 1 else f"each of the {ids:,} order ids"
        profile.why = f"{whose} stands on one row"
        if profile.cancellations:
            profile.why += ", but for what takes it back"
        return
    repeats = f"{repeated:,} of {ids:,} order ids stand on several rows that differ, {on:,} in all"
    customer = shares.get(roles["customer_id"].column.name, 0) if "customer_id" in roles else 0
    if customer > 0.5:
        parts = _parts(queries, columns, roles, different)
        if parts:
            profile.order_id = (parts, *profile.order_id)
            profile.why = f"{repeats}; with {parts} they are told apart"
            return
        profile.why = repeats
        profile.decide.append(
            f"order_id: {repeats}, and for different customers: the number was cut or rounded (a "
            "spreadsheet does so), or further columns belong to it: "
            "order_id: [that column, this column]"
        )
        return
    changing = {one for one, share in shares.items() if share > 0.5}
    item = {role for role in ("quantity", "unit_price") if role in roles}
    of_items = {roles[role].column.name for role in item}
    amount = roles["amount"].column.name if "amount" in roles else None
    differing = _listed(sorted(changing)[:4]) or "little"
    if not changing & of_items and amount not in changing and _are_states(changing, roles):
        profile.states = True
        profile.why = f"{repeats} in {differing}: rows are states of an order"
        if "changed_at" not in roles:
            profile.decide.append(
                "grain: rows are states of an order; name the column of a row's last change as "
                "changed_at, or leave all but the last state out by `exclude`"
            )
        return
    constant = amount is not None and shares.get(amount, 0) == 0
    if constant and len(item) < 2 and not any(rows_of_items(one) for one in changing & of_items):
        profile.why = f"{repeats}, but not in {amount}: it is the order's, and counts once"
        profile.decide.append(f"grain: {repeats}; {amount} is the same on all rows of an order")
        return
    profile.grain = "lines"
    profile.why = f"{repeats}, in {differing}"
    if "line_id" in roles:
        line = queries.of("line_id")
        profile.numbered = not queries.number(
            f"SELECT count(*) FROM (SELECT 1 FROM {different} GROUP BY {order}, {line} "
            f"HAVING count(*) > 1 OR {line} IS NULL)"
        )


def _differences(
    queries: _Queries, order: str, columns: Sequence[str], rows: str
) -> tuple[int, int, dict[str, float]]:
    """Order ids that stand on several of the ``rows``, and how many rows these are.

    And by column, the share of these ids whose rows differ in it.
    """
    differs = ", ".join(f"count(*) FILTER (c{n} > 1) AS d{n}" for n in range(len(columns)))
    values = ", ".join(
        f"count(DISTINCT coalesce({sql_name(one)}, '')) AS c{n}" for n, one in enumerate(columns)
    )
    counts = queries.row(
        f"SELECT count(*), sum(n), {differs} FROM (SELECT {order}, count(*) AS n, {values} "
        f"FROM {rows} GROUP BY {order} HAVING count(*) > 1)"
    )
    repeated, on = int(counts[0] or 0), int(counts[1] or 0)
    shares = {one: int(counts[n + 2]) / repeated for n, one in enumerate(columns) if repeated}
    return repeated, on, shares


def _are_states(changing: set[str], roles: dict[str, Chosen]) -> bool:
    """Whether the columns in which an order's rows differ say what became of it, or when."""
    changed = roles["changed_at"].column.name if "changed_at" in roles else None
    return changed in changing or any(words.is_named(one, words.KINDS) for one in changing)


def rows_of_items(column: str) -> bool:
    """Whether a column's name says that its values are of a line."""
    return any(words.is_named(column, pattern) for pattern in words.ROLES["unit_price"])


def _parts(
    queries: _Queries, columns: Sequence[Column], roles: dict[str, Chosen], different: str
) -> str | None:
    """A column that together with the order id tells orders apart."""
    taken = {chosen.column.name for chosen in roles.values()}
    order = queries.of("order_id")
    for column in columns:
        if column.name in taken or column.is_time or not 1 < column.distinct <= column.rows / 2:
            continue
        if column.filled < column.rows or not words.is_named(column.name, words.PARTS_OF_ID):
            continue
        left = queries.number(
            f"SELECT count(*) FROM (SELECT 1 FROM {different} GROUP BY {sql_name(column.name)}, "
            f"{order} HAVING count(*) > 1)"
        )
        if not left:
            return column.name
    return None


def _money(profile: RowProfile, queries: _Queries, roles: dict[str, Chosen]) -> None:
    """Whether an amount or quantity times price is a row's money."""
    both = "quantity" in roles and "unit_price" in roles
    if not both:
        return
    if "amount" not in roles:
        profile.amount = ("quantity", "unit_price")
        return
    if profile.grain == "orders":
        return
    product = f"{queries.value('quantity')} * {queries.value('unit_price')}"
    equal, every = queries.row(
        f"SELECT count(*) FILTER (abs(abs({product}) - abs({queries.value('amount')})) < 0.02), "
        f"count(*) FROM sample WHERE {queries.of('amount')} IS NOT NULL AND {queries.sales}"
    )
    if equal >= 0.9 * every:
        return
    order, amount = queries.of("order_id"), queries.of("amount")
    varied = queries.number(
        f"SELECT count(*) FROM (SELECT 1 FROM sample WHERE {queries.sales} "
        f"GROUP BY {order} HAVING count(DISTINCT {amount}) > 1)"
    )
    if not varied:
        profile.amount = ("quantity", "unit_price")
        profile.decide.append(
            f"amount: {roles['amount'].column.name} is the same on all lines of an order, the "
            "order's total; quantity and unit_price are taken instead"
        )


def _below_zero(
    profile: RowProfile, queries: _Queries, columns: Sequence[Column], roles: dict[str, Chosen]
) -> None:
    """Rows below zero that nothing else says are refunds: refunds, or discounts of their order."""
    money = [role for role in profile.amount if role in roles]
    if not money:
        return
    below = " OR ".join(f"coalesce({queries.below(role)}, false)" for role in money)
    count = queries.number(f"SELECT count(*) FROM sample WHERE {queries.sales} AND ({below})")
    if not count:
        return
    first = money[0]
    discounts = (
        _discount_lines(queries, columns, roles, below) if profile.grain == "lines" else None
    )
    if discounts is not None:
        profile.discounts.append(discounts)
        listed = ", ".join(map(sql_text, discounts.equals))
        below = f"({below}) AND coalesce({sql_name(discounts.column)} NOT IN ({listed}), true)"
        count = queries.number(f"SELECT count(*) FROM sample WHERE {queries.sales} AND ({below})")
    if not count:
        return
    order = queries.of("order_id")
    start = queries.column(
        f"SELECT DISTINCT regexp_extract({order}, '^[A-Za-z]+') FROM sample "
        f"WHERE {queries.sales} AND ({below}) AND {order} IS NOT NULL"
    )
    letters = start[0] if len(start) == 1 else ""
    if letters and not queries.number(
        f"SELECT count(*) FROM sample WHERE {queries.sales} AND NOT ({below}) "
        f"AND starts_with({order}, {sql_text(letters)})"
    ):
        rows = (
            "row below zero, and no other, has an id"
            if count == 1
            else ("rows below zero, and no other, have ids")
        )
        why = f"the {count:,} {rows} that begin so"
        ids = roles["order_id"].column.name
        profile.cancellations.append(Rule(ids, test=f"starts_with: {letters}", why=why))
        return
    if len(money) > 1:
        first = max(
            money,
            key=lambda role: queries.number(
                f"SELECT count(*) FROM sample WHERE {queries.sales} AND {queries.below(role)}"
            ),
        )
    rows = (
        "row is below zero; if it is a discount, name it"
        if count == 1
        else ("rows are below zero; if they are discounts, name them")
    )
    why = f"{count:,} {rows} under discounts"
    profile.cancellations.append(Rule(roles[first].column.name, test="below: 0", why=why))


def _discount_lines(
    queries: _Queries, columns: Sequence[Column], roles: dict[str, Chosen], below: str
) -> Rule | None:
    """The lines below zero that a column calls discounts, if one of no role or of products does."""
    taken = {chosen.column.name for role, chosen in roles.items() if role != "product_id"}
    for column in columns:
        if column.name in taken or column.is_time:
            continue
        values = queries.column(
            f"SELECT DISTINCT {sql_name(column.name)} FROM sample WHERE {queries.sales} "
            f"AND ({below}) AND {sql_name(column.name)} IS NOT NULL ORDER BY 1 LIMIT 20"
        )
        called = [text for text in values if words.is_named(text, f".*({words.DISCOUNTS}).*")]
        if called:
            return Rule(column.name, tuple(called), why="lines below zero that are called so")
    return None


def _listed(values: Sequence[str]) -> str:
    return ", ".join(values)
