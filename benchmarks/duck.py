"""The same work as our bronze to gold, written straight in DuckDB's SQL.

Same raw files; the contract's every rule as bits of one mask; good rows and quarantine with
reasons; rows counted by day; profiles normalised, current and as history; transactions keyed by
the same HMAC, deduplicated, unknown customers excluded; customer days; features, segments,
cohorts, daily health; the counts behind our asset checks. Each table is written as zstd parquet,
partitioned like ours, and read back by the next. What DuckDB has no need of is left out: a
transaction log, statistics for merging, and loading a day into tables that are there.

Written to be fast: a transaction takes its key from the customer table by id, and only ids that
are not there are hashed; small lookups are joins that fit a cache.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import duckdb

from customer360.contracts import Contract
from customer360.contracts.attributes import attributes_of, customer_attributes
from customer360.days import DayRange
from customer360.gold import features_sql
from customer360.gold.rfm_segments import SEGMENT_GRID, VALUE_OF_SUM
from customer360.sources.synthetic.process import CATEGORIES

Steps = dict[str, float]

_BLANKS = " \t\n\r\f\v\u00a0"
_INVISIBLE = "\u200b\ufeff\u00ad"
_PRINTABLE = r"[^\x00-\x1F\x7F-\x9F\x{FFFD}]*"
_DAY = r"\d{4}-\d{2}-\d{2}"
_TIME = rf"{_DAY} \d{{2}}:\d{{2}}:\d{{2}}"
_MONEY = "DECIMAL(18,2)"

TRANSACTION_COLUMNS = (
    "order_id", "kind", "related_order_id", "customer_id", "occurred_at", "amount",
    "currency", "items", "channel", "category", "payment_type",
)  # fmt: skip
CUSTOMER_COLUMNS = (
    "customer_id", "name", "email", "phone", "address", "city", "state", "postal_code",
    "country", "birth_date", "tax_id", "acquisition_channel", "loyalty_tier",
    "marketing_consent", "signed_up_on", "updated_at",
)  # fmt: skip


class _Rules:
    """Collects a table's rules: each breaks into one bit, and knows its reason."""

    def __init__(self) -> None:
        self.reasons: list[str] = []
        self.masks: list[str] = []

    def _bit(self, reason: str) -> str:
        self.reasons.append(reason)
        return f"{1 << (len(self.reasons) - 1)}::BIGINT"

    def column(
        self,
        name: str,
        *,
        required: bool = False,
        unreadable: tuple[str, str] | None = None,
        limits: dict[str, str] | None = None,
    ) -> None:
        """Rules of a column; conditions see its trimmed text as ``t_<name>``."""
        text = f"t_{name}"
        blank = (
            f"CASE WHEN {text} >= '!' AND {text} < '\u00a0' THEN false "
            f"ELSE coalesce(trim({text}, '{_BLANKS}'), '') = '' END"
        )
        cases = [f"WHEN {blank} THEN {self._bit(f'{name}:required') if required else '0::BIGINT'}"]
        if unreadable:
            kind, condition = unreadable
            cases.append(f"WHEN {condition} THEN {self._bit(f'{name}:{kind}')}")
        bits = [
            f"CASE WHEN {condition} THEN {self._bit(f'{name}:{kind}')} ELSE 0::BIGINT END"
            for kind, condition in (limits or {}).items()
        ]
        self.masks.append(f"CASE {' '.join(cases)} ELSE {' | '.join(bits) or '0::BIGINT'} END")

    def text(self, name: str, pattern: str, *, required: bool = False, longest: int = 0) -> None:
        """A text column with a pattern for the whole of it, and a greatest length."""
        limits = {"max_length": f"length(t_{name}) > {longest}"} if longest else {}
        limits["pattern"] = f"NOT regexp_full_match(t_{name}, '{pattern}')"
        self.column(name, required=required, limits=limits)

    @property
    def mask(self) -> str:
        return " | ".join(f"({mask})" for mask in self.masks)

    @property
    def reason_list(self) -> str:
        listed = ", ".join(
            f"CASE WHEN mask & {1 << n} <> 0 THEN '{reason}' END"
            for n, reason in enumerate(self.reasons)
        )
        return f"list_filter([{listed}], lambda r: r IS NOT NULL)"


def _transaction_rules() -> _Rules:
    rules = _Rules()
    rules.text("order_id", "[OR][0-9]{12}", required=True)
    rules.column(
        "kind", required=True, limits={"allowed_values": "t_kind NOT IN ('sale', 'refund')"}
    )
    rules.text("related_order_id", "O[0-9]{12}")
    rules.text("customer_id", "C[0-9]{8}", required=True)
    rules.column(
        "occurred_at",
        required=True,
        unreadable=("format", "v_occurred_at IS NULL"),
        limits={"minimum": "v_occurred_at < TIMESTAMP '2000-01-01'"},
    )
    rules.column(
        "amount",
        required=True,
        unreadable=("type", "v_amount IS NULL"),
        limits={"minimum": "v_amount < 0", "maximum": "v_amount > 10000000"},
    )
    rules.column("currency", required=True, limits={"allowed_values": "t_currency <> 'USD'"})
    rules.column(
        "items",
        required=True,
        unreadable=("type", "v_items IS NULL"),
        limits={"minimum": "v_items < 1", "maximum": "v_items > 1000"},
    )
    rules.text("channel", _PRINTABLE, required=True, longest=40)
    rules.text("category", _PRINTABLE, required=True, longest=60)
    rules.text("payment_type", _PRINTABLE, required=True, longest=40)
    return rules


def _customer_rules() -> _Rules:
    rules = _Rules()
    rules.text("customer_id", "C[0-9]{8}", required=True)
    rules.text("name", _PRINTABLE, required=True, longest=120)
    rules.column(
        "email",
        limits={
            "format": r"NOT regexp_full_match(t_email, '[^@\s]+@[^@\s.]+(\.[^@\s.]+)+')",
            "max_length": "length(t_email) > 254",
        },
    )
    rules.text("phone", "[+0-9 ()x.-]*", longest=40)
    rules.text("address", _PRINTABLE, longest=200)
    rules.text("city", _PRINTABLE, longest=120)
    rules.text("state", _PRINTABLE, longest=80)
    rules.text("postal_code", "[0-9-]*", longest=12)
    rules.text("country", "[A-Z]{2}", required=True)
    rules.column("birth_date", unreadable=("format", "v_birth_date IS NULL"))
    rules.text("tax_id", "[0-9]+", longest=20)
    rules.text("acquisition_channel", _PRINTABLE, required=True, longest=60)
    tiers = "('basic', 'silver', 'gold', 'platinum')"
    rules.column(
        "loyalty_tier", required=True, limits={"allowed_values": f"t_loyalty_tier NOT IN {tiers}"}
    )
    rules.column(
        "marketing_consent",
        required=True,
        unreadable=("type", "try_cast(t_marketing_consent AS BOOLEAN) IS NULL"),
    )
    rules.column("signed_up_on", required=True, unreadable=("format", "v_signed_up_on IS NULL"))
    rules.column(
        "updated_at",
        required=True,
        unreadable=("format", "v_updated_at IS NULL"),
        limits={"minimum": "v_updated_at < TIMESTAMP '2000-01-01'"},
    )
    return rules


def _read_as(name: str, pattern: str, kind: str) -> str:
    text = f"trim({name})"
    return f"CASE WHEN regexp_full_match({text}, '{pattern}') THEN try_cast({text} AS {kind}) END"


_TRANSACTION_VALUES = {
    "v_occurred_at": _read_as("occurred_at", _TIME, "TIMESTAMP"),
    "v_amount": "try_cast(trim(amount) AS DECIMAL(38,12))",
    # Casting alone would round 2.5 to 3.
    "v_items": _read_as("items", "[+-]?[0-9]+", "INTEGER"),
}
_CUSTOMER_VALUES = {
    "v_birth_date": _read_as("birth_date", _DAY, "DATE"),
    "v_signed_up_on": _read_as("signed_up_on", _DAY, "DATE"),
    "v_updated_at": _read_as("updated_at", _TIME, "TIMESTAMP"),
}

# Normalisation, as in customer360.silver.text -------------------------------------------------

_NOT_LATEST = (
    *("customer_key", "source", "marketing_consent", "signed_up_on"),
    *("updated_at", "_delivered_on", "_row_hash"),
)
"""Columns of silver/customers that are not each the latest known value."""

_SPACE = r"[\p{Z}\s\p{Cc}]+"


def _identifier(text: str) -> str:
    return f"nullif(trim({text}), '')"


def _tidy(text: str) -> str:
    seen = f"translate({text}, '{_INVISIBLE}', '')"
    return _identifier(f"regexp_replace({seen}, '{_SPACE}', ' ', 'g')")


def _label(text: str) -> str:
    marks = ("  ", "\t", "\n", "\r", "\u00a0", *_INVISIBLE)
    dirty = " OR ".join(f"contains({text}, '{mark}')" for mark in marks)
    return f"CASE WHEN {dirty} THEN {_tidy(text)} ELSE {_identifier(text)} END"


def _initcap(text: str) -> str:
    words = f"string_split(lower({text}), ' ')"
    return f"array_to_string(list_transform({words}, lambda w: upper(w[1]) || w[2:]), ' ')"


def _cased(text: str) -> str:
    one_case = f"{text} = upper({text}) OR {text} = lower({text})"
    return f"CASE WHEN {one_case} THEN {_initcap(text)} ELSE {text} END"


def _decoded(text: str) -> str:
    """UTF-8 that was read as Latin-1, read again: character by character to bytes."""
    wrong = (
        rf"regexp_matches({text}, '[\x{{C2}}\x{{C3}}][\x{{80}}-\x{{BF}}]') "
        rf"AND regexp_full_match({text}, '[\x{{00}}-\x{{FF}}]*')"
    )
    digits = f"list_transform(string_split({text}, ''), lambda c: format('{{:02x}}', unicode(c)))"
    again = f"TRY(decode(unhex(array_to_string({digits}, ''))))"
    return f"CASE WHEN {wrong} THEN coalesce({again}, {text}) ELSE {text} END"


def _written(text: str) -> str:
    return f"nfc_normalize({_tidy(text)})"


class DuckPipeline:
    """Bronze to gold of the synthetic source in DuckDB.

    Args:
        raw: The generated data set.
        home: Where the tables go: ``<layer>/<table>``.
        secret: Secret of the customer keys.
        connection: Of a warm session; unset: a new one.
    """

    def __init__(
        self,
        raw: Path,
        home: Path,
        secret: bytes,
        connection: duckdb.DuckDBPyConnection | None = None,
    ) -> None:
        self.raw = raw
        self.home = home
        self.connection = connection or connect()
        self.took: Steps = {}
        key = (sha256(secret).digest() if len(secret) > 64 else secret).ljust(64, b"\0")
        self._inner, self._outer = (
            "'" + "".join(f"\\x{byte ^ pad:02x}" for byte in key) + "'::BLOB"
            for pad in (0x36, 0x5C)
        )
        self._ingested = f"TIMESTAMP '{datetime.now(UTC):%Y-%m-%d %H:%M:%S}'"

    def load(self, days: DayRange, as_of: date) -> Steps:
        """Make every table of ``days``, gold as of ``as_of``; seconds by step."""
        self.took = {}
        shutil.rmtree(self.home, ignore_errors=True)
        self._step("bronze/synthetic_customers", self._bronze_customers, days)
        self._step("bronze/synthetic_transactions", self._bronze_transactions, days)
        self._step("silver/customers", self._customers)
        self._step("check customers", self._check_customers)
        self._step("silver/customer_history", self._history)
        self._step("check history", self._check_history)
        self._step("silver/transactions", self._transactions)
        self._step("check transactions", self._check_transactions)
        self._step("silver/customer_days", self._customer_days)
        self._step("gold/customer_features", self._features, as_of)
        self._step("check customer_features", self._check_keys, "customer_features")
        self._step("gold/rfm_segments", self._segments)
        self._step("check rfm_segments", self._check_keys, "rfm_segments")
        self._step("gold/cohort_retention", self._cohorts, as_of)
        self._step("check cohort_retention", self._check_keys, "cohort_retention")
        self._step("gold/business_health", self._health, days)
        self._step("check health", self._check_health)
        return self.took

    def _step(self, name: str, work: Callable[..., object], *arguments: Any) -> None:
        begun = time.perf_counter()
        work(*arguments)
        self.took[name] = time.perf_counter() - begun

    # Plumbing -----------------------------------------------------------------------------

    def _folder(self, table: str) -> Path:
        folder = self.home / table
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _write(self, table: str, query: str, partition_by: str | None = None) -> int:
        folder = self._folder(table)
        options = "FORMAT parquet, COMPRESSION zstd"
        target = folder / "data.parquet"
        if partition_by:
            target = folder
            options += f", PARTITION_BY ({partition_by}), OVERWRITE_OR_IGNORE"
        row = self.connection.execute(f"COPY ({query}) TO '{target}' ({options})").fetchone()
        assert row is not None
        return int(row[0])

    def _view(self, name: str, table: str, partition_by: str | None = None) -> None:
        """``name`` as a view of a table that was written."""
        pattern, more = f"{self._folder(table)}/data.parquet", ""
        if partition_by:
            pattern = f"{self._folder(table)}/*/*.parquet"
            more = f", hive_partitioning = true, hive_types = {{'{partition_by}': DATE}}"
        self.connection.execute(
            f"CREATE OR REPLACE TEMP VIEW {name} AS SELECT * FROM read_parquet('{pattern}'{more})"
        )

    def _none(self, query: str, what: str) -> None:
        row = self.connection.execute(query).fetchone()
        if row is None or row[0]:
            raise AssertionError(f"DuckDB: {row and row[0]} {what}")

    # Bronze -------------------------------------------------------------------------------

    def _bronze_customers(self, days: DayRange) -> None:
        self._bronze(
            "customers", CUSTOMER_COLUMNS, _CUSTOMER_VALUES, _customer_rules(), "updated_at", days
        )

    def _bronze_transactions(self, days: DayRange) -> None:
        self._bronze(
            "transactions",
            TRANSACTION_COLUMNS,
            _TRANSACTION_VALUES,
            _transaction_rules(),
            "occurred_at",
            days,
        )

    def _bronze(
        self,
        table: str,
        columns: tuple[str, ...],
        values: dict[str, str],
        rules: _Rules,
        event: str,
        days: DayRange,
    ) -> None:
        files = [str(self.raw / table / f"date={day}" / "part-0.parquet") for day in days]
        source = (
            f"read_parquet({files!r}, filename = true, hive_partitioning = true, "
            "hive_types = {'date': DATE})"
        )
        listed = ", ".join(columns)
        texts = ", ".join(f"trim({name}) AS t_{name}" for name in columns)
        read = ", ".join(f"{value} AS {name}" for name, value in values.items())
        self.connection.execute(
            f"""CREATE OR REPLACE TEMP VIEW received AS
            SELECT {listed}, NULL::VARCHAR AS _rescued,
                regexp_extract(filename, '({table}/date={_DAY}/part-0[.]parquet)$', 1)
                    AS _source_file,
                date AS _delivered_on, v_{event}::DATE AS _event_date,
                {self._ingested} AS _ingested_at, hash({listed}) AS _row_hash, {rules.mask} AS mask
            FROM (SELECT *, {texts}, {read} FROM {source})"""
        )
        self._write(
            f"bronze/synthetic_{table}",
            "SELECT * EXCLUDE (mask) FROM received WHERE mask = 0",
            "_delivered_on",
        )
        self._write(
            f"quarantine/synthetic_{table}",
            f"""SELECT _delivered_on, {rules.reason_list} AS reasons,
                to_json(struct_pack({", ".join(f"{n} := {n}" for n in columns)}))::VARCHAR AS raw,
                _source_file, _ingested_at, _row_hash, 'benchmark' AS run_id
            FROM received WHERE mask <> 0""",
        )
        self._view(f"bronze_{table}", f"bronze/synthetic_{table}", "_delivered_on")
        self._view(f"quarantine_{table}", f"quarantine/synthetic_{table}")
        self._none(
            f"""SELECT count(*) FROM
                (SELECT date AS d, count(*) AS raw FROM {source} GROUP BY 1)
                FULL JOIN (SELECT d, sum(n) AS kept FROM (
                    SELECT _delivered_on AS d, count(*) AS n FROM bronze_{table} GROUP BY 1
                    UNION ALL
                    SELECT _delivered_on, count(*) FROM quarantine_{table} GROUP BY 1
                ) GROUP BY 1) USING (d)
            WHERE raw IS DISTINCT FROM kept""",
            f"days of {table} with rows lost or multiplied",
        )
        self.connection.execute(
            f"SELECT reason, count(*) FROM (SELECT unnest(reasons) AS reason "
            f"FROM quarantine_{table}) GROUP BY 1"
        ).fetchall()

    # Silver -------------------------------------------------------------------------------

    def _key(self, own_id: str) -> str:
        """HMAC-SHA-256 of ``synthetic:<id>``, hexadecimal."""
        message = f"encode('synthetic:' || {own_id})"
        return f"sha256({self._outer} || unhex(sha256({self._inner} || {message})))"

    def _profiles(self) -> str:
        phone = r"regexp_replace(lower(trim(phone)), '(ext(ension|\.)?|ramal|x|#)', 'x', 'g')"
        return f"""
        SELECT {self._key("source_customer_id")} AS customer_key, 'synthetic' AS source,
            source_customer_id, {_cased("name")} AS name, email,
            CASE WHEN regexp_matches(phone, '[0-9]') THEN phone END AS phone, address,
            birth_date, tax_id, {_cased("city")} AS city,
            CASE WHEN length(state) <= 3 THEN upper(state) ELSE {_cased("state")} END AS state,
            postal_code, country, acquisition_channel, loyalty_tier, marketing_consent,
            signed_up_on, updated_at, _delivered_on, _row_hash{self._unstated()}
        FROM (
            SELECT {_identifier("customer_id")} AS source_customer_id,
                {_written("name")} AS name,
                {_written("address")} AS address, {_written("city")} AS city,
                {_written("state")} AS state, {_written("country")} AS country,
                nullif(lower(regexp_replace(translate(email, '{_INVISIBLE}', ''),
                    '{_SPACE}', '', 'g')), '') AS email,
                CASE WHEN phone LIKE '+%' THEN '+' ELSE '' END
                    || regexp_replace(phone, '[^0-9x]', '', 'g') AS phone,
                nullif(upper(regexp_replace(tax_id, '[^\\p{{L}}\\p{{Nd}}]', '', 'g')), '')
                    AS tax_id,
                upper({_tidy("postal_code")}) AS postal_code,
                lower({_label("acquisition_channel")}) AS acquisition_channel,
                lower({_label("loyalty_tier")}) AS loyalty_tier,
                trim(birth_date)::DATE AS birth_date,
                trim(marketing_consent)::BOOLEAN AS marketing_consent,
                trim(signed_up_on)::DATE AS signed_up_on,
                trim(updated_at)::TIMESTAMP AS updated_at, _delivered_on, _row_hash
            FROM (
                SELECT * REPLACE (
                    {_decoded("trim(name)")} AS name, {_decoded("trim(city)")} AS city,
                    {phone} AS phone, nullif(trim(birth_date), '') AS birth_date
                ) FROM bronze_customers
            )
        )"""

    def _unstated(self) -> str:
        """Attributes that the synthetic source says nothing of, as nulls."""
        said = Contract.load("bronze/synthetic_customers").column_names
        return "".join(
            f", NULL::{attribute.physical_type} AS {name}"
            for name, attribute in customer_attributes().items()
            if name not in said
        )

    def _customers(self) -> None:
        latest = ", ".join(
            # arg_max passes over what is null: a blank says nothing.
            f"arg_max({name}, {{'a': updated_at, 'b': _delivered_on, 'c': _row_hash}}) AS {name}"
            for name in Contract.load("silver/customers").column_names
            if name not in _NOT_LATEST
        )
        self._write(
            "silver/customers",
            f"""SELECT customer_key, any_value(source) AS source, {latest},
                arg_max(marketing_consent, {{'a': updated_at, 'b': NOT marketing_consent}})
                    AS marketing_consent,
                min(signed_up_on) AS signed_up_on, max(updated_at) AS updated_at
            FROM ({self._profiles()}) GROUP BY customer_key""",
        )
        self._view("customers", "silver/customers")

    def _check_customers(self) -> None:
        self._none(
            "SELECT count(*) - count(DISTINCT customer_key) FROM customers", "customers twice"
        )

    def _history(self) -> None:
        profile = attributes_of("silver/customer_history")
        stated = ", ".join(
            f"arg_max({name}, {{'a': _delivered_on, 'b': _row_hash}}) AS {name}"
            for name in profile
            if name != "marketing_consent"
        )
        known = ", ".join(f"last_value({name} IGNORE NULLS) OVER w AS {name}" for name in profile)
        packed = ", ".join(f"{name} := {name}" for name in profile)
        self._write(
            "silver/customer_history",
            f"""WITH moments AS (
                SELECT customer_key, updated_at, {stated},
                    min(marketing_consent) AS marketing_consent
                FROM ({self._profiles()}) GROUP BY 1, 2
            ), known AS (
                SELECT customer_key, updated_at AS valid_from, {known} FROM moments
                WINDOW w AS (PARTITION BY customer_key ORDER BY updated_at)
            ), versions AS (
                SELECT *, struct_pack({packed}) AS profile FROM known
                WINDOW w AS (PARTITION BY customer_key ORDER BY valid_from)
                QUALIFY row_number() OVER w = 1 OR lag(profile) OVER w IS DISTINCT FROM profile
            )
            SELECT * EXCLUDE (profile), lead(valid_from) OVER w AS valid_to,
                lead(valid_from) OVER w IS NULL AS is_current
            FROM versions WINDOW w AS (PARTITION BY customer_key ORDER BY valid_from)""",
        )
        self._view("history", "silver/customer_history")

    def _check_history(self) -> None:
        self._none(
            "SELECT count(*) FROM (SELECT customer_key FROM history GROUP BY 1 "
            "HAVING count_if(is_current) <> 1)",
            "customers without one current version",
        )

    def _transactions(self) -> None:
        known = ", ".join(f"'{name}'" for name in CATEGORIES)
        spelt = _initcap("trim(translate(trim(category), '\u00a0', ' '))")
        category = (
            f"CASE WHEN trim(category) IN ({known}) THEN trim(category) ELSE {_tidy(spelt)} END"
        )
        self.connection.execute(
            f"""CREATE OR REPLACE TEMP VIEW prepared AS
            SELECT *, CASE WHEN order_id IS NULL THEN 'order_id_missing'
                WHEN occurred_at IS NULL THEN 'occurred_at_missing'
                WHEN kind IS NULL OR kind NOT IN ('sale', 'refund', 'cancelled')
                    THEN 'unknown_kind'
                WHEN amount IS NULL THEN 'amount_missing'
                WHEN amount < 0 THEN 'amount_negative'
                WHEN currency <> 'USD' THEN 'other_currency'
                WHEN source_customer_id IS NOT NULL AND known_key IS NULL
                    THEN 'unknown_customer' END AS why
            FROM (
                SELECT 'synthetic' AS source, {_identifier("order_id")} AS order_id,
                    coalesce(c.customer_key, {self._key("trim(b.customer_id)")}) AS customer_key,
                    c.customer_key AS known_key, trim(b.customer_id) AS source_customer_id,
                    lower(trim(kind)) AS kind, trim(occurred_at)::TIMESTAMP AS occurred_at,
                    trim(occurred_at)::TIMESTAMP::DATE AS business_date,
                    trim(amount)::DECIMAL(38,12)::{_MONEY} AS amount,
                    coalesce(nullif(upper(trim(currency)), ''), 'USD') AS currency,
                    trim(items)::INTEGER AS items, lower({_label("channel")}) AS channel,
                    lower({_label("payment_type")}) AS payment_type, NULL::INTEGER AS installments,
                    NULL::{_MONEY} AS freight, {category} AS category,
                    {_identifier("related_order_id")} AS related_order_id,
                    NULL::DATE AS delivered_on, NULL::INTEGER AS review_score,
                    NULL::DATE AS reviewed_on,
                    b._delivered_on, b._row_hash, b._source_file
                FROM bronze_transactions b
                LEFT JOIN (SELECT source_customer_id, customer_key FROM customers) c
                    ON c.source_customer_id = trim(b.customer_id)
            )"""
        )
        columns = (
            "source, order_id, customer_key, kind, occurred_at, business_date, amount, currency, "
            "items, channel, payment_type, installments, freight, category, related_order_id, "
            "delivered_on, review_score, reviewed_on"
        )
        self._write(
            "silver/transactions",
            f"""SELECT {columns} FROM prepared WHERE why IS NULL
            QUALIFY row_number() OVER (PARTITION BY order_id, source, kind = 'refund'
                ORDER BY _delivered_on DESC, _row_hash DESC) = 1""",
            "business_date",
        )
        packed = ", ".join(f"{name} := {name}" for name in columns.split(", "))
        self._write(
            "quarantine/transactions",
            f"""SELECT business_date, [why] AS reasons, to_json(struct_pack({packed}))::VARCHAR
                AS raw, _source_file, {self._ingested} AS _ingested_at, _row_hash,
                'benchmark' AS run_id
            FROM prepared WHERE why IS NOT NULL""",
        )
        self._view("transactions", "silver/transactions", "business_date")
        self._view("excluded", "quarantine/transactions")

    def _check_transactions(self) -> None:
        self._none(
            "SELECT count(*) FROM (SELECT 1 FROM transactions "
            "GROUP BY business_date, hash(source, order_id, kind) HAVING count(*) > 1)",
            "keys twice",
        )
        self._none(
            "SELECT count(*) FROM (SELECT DISTINCT customer_key FROM transactions "
            "WHERE customer_key IS NOT NULL) t ANTI JOIN customers USING (customer_key)",
            "unknown customers",
        )

    def _customer_days(self) -> None:
        sale, refund = "FILTER (kind = 'sale')", "FILTER (kind = 'refund')"
        largest = (
            "arg_max({'channel': channel, 'category': category}, {'a': amount, 'b': occurred_at, "
            f"'c': order_id, 'd': source}}) {sale}"
        )
        self._write(
            "silver/customer_days",
            f"""SELECT customer_key, business_date, orders, refunds, items, gross_revenue,
                refunded, (gross_revenue - refunded)::{_MONEY} AS net_revenue,
                largest.channel AS channel, largest.category AS category, review_score
            FROM (
                SELECT business_date, customer_key, count(*) {sale}::INTEGER AS orders,
                    count(*) {refund}::INTEGER AS refunds,
                    coalesce(sum(items) {sale}, 0)::INTEGER AS items,
                    coalesce(sum(amount) {sale}, 0)::{_MONEY} AS gross_revenue,
                    coalesce(sum(amount) {refund}, 0)::{_MONEY} AS refunded,
                    {largest} AS largest, avg(review_score) {sale} AS review_score
                FROM transactions
                WHERE customer_key IS NOT NULL AND kind IN ('sale', 'refund')
                GROUP BY business_date, customer_key
            )""",
            "business_date",
        )
        self._view("days", "silver/customer_days", "business_date")

    # Gold ---------------------------------------------------------------------------------

    def _features(self, as_of: date) -> None:
        self._write(
            "gold/customer_features",
            features_sql.customer_features("days", as_of),
            "as_of",
        )
        self._view("features", "gold/customer_features", "as_of")

    def _segments(self) -> None:
        ranked, scored = [], []
        for measure, value in (
            ("r", "-days_since_last_purchase"),
            ("f", "purchase_days"),
            ("m", "net_revenue"),
        ):
            # The middle of those who share a value, among all customers, in fifths.
            ranked.append(
                f"""{measure} AS (
                    SELECT value, ((2 * (sum(alike) OVER (ORDER BY value) - alike) + alike) * 5
                        // (2 * sum(alike) OVER ()) + 1)::INTEGER AS score
                    FROM (SELECT {value} AS value, count(*) AS alike FROM features GROUP BY 1))"""
            )
            scored.append(f"JOIN {measure} ON {measure}.value = {value}")
        means = list(VALUE_OF_SUM)
        grid = [list(SEGMENT_GRID[r]) for r in sorted(SEGMENT_GRID)]
        self._write(
            "gold/rfm_segments",
            f"""WITH {", ".join(ranked)}, scores AS (
                SELECT as_of, customer_key, days_since_last_purchase, purchase_days, net_revenue,
                    r.score AS r_score,
                    CASE WHEN purchase_days = 1 THEN 1 ELSE f.score END AS f_score,
                    m.score AS m_score
                FROM features {" ".join(scored)}
            )
            SELECT *, r_score::VARCHAR || f_score || m_score AS rfm_score,
                ({_sql_list(grid)})[r_score][({means})[f_score + m_score - 1]] AS segment
            FROM scores""",
            "as_of",
        )
        self._view("segments", "gold/rfm_segments", "as_of")

    def _cohorts(self, as_of: date) -> None:
        self._write(
            "gold/cohort_retention",
            f"""WITH known AS (
                SELECT customer_key, date_trunc('month', business_date)::DATE AS month,
                    min(business_date) FILTER (bought) AS first, sum(net_revenue) AS net_revenue,
                    bool_or(bought) AS active
                FROM (SELECT *, orders > 0 AND (net_revenue > 0 OR refunded = 0) AS bought
                    FROM days WHERE business_date <= DATE '{as_of}')
                GROUP BY 1, 2
            ), firsts AS (
                SELECT customer_key, date_trunc('month', min(first))::DATE AS cohort FROM known
                GROUP BY 1 HAVING min(first) IS NOT NULL
            ), months AS (
                SELECT cohort, greatest(month, cohort) AS month, count_if(active) AS active,
                    sum(net_revenue) AS net_revenue
                FROM known JOIN firsts USING (customer_key) GROUP BY 1, 2
            ), sizes AS (
                SELECT cohort, count(*) AS customers FROM firsts GROUP BY 1
            ), every_month AS (
                SELECT cohort, customers, unnest(generate_series(cohort::TIMESTAMP,
                    date_trunc('month', DATE '{as_of}'), INTERVAL 1 MONTH))::DATE AS month
                FROM sizes
            )
            SELECT DATE '{as_of}' AS as_of, cohort,
                datediff('month', cohort, month)::INTEGER AS months_since_first,
                customers::INTEGER AS customers, coalesce(active, 0)::INTEGER AS active_customers,
                coalesce(active, 0)::DOUBLE / customers AS retention,
                coalesce(net_revenue, 0)::{_MONEY} AS net_revenue,
                (sum(coalesce(net_revenue, 0)) OVER (PARTITION BY cohort ORDER BY month))::DOUBLE
                    / customers AS cumulative_revenue_per_customer,
                month = date_trunc('month', DATE '{as_of}')::DATE
                    AND DATE '{as_of}' < last_day(DATE '{as_of}') AS is_partial
            FROM every_month LEFT JOIN months USING (cohort, month)""",
            "as_of",
        )
        self._view("cohorts", "gold/cohort_retention", "as_of")

    def _check_keys(self, table: str) -> None:
        view, key = {
            "customer_features": ("features", "as_of, customer_key"),
            "rfm_segments": ("segments", "as_of, customer_key"),
            "cohort_retention": ("cohorts", "as_of, cohort, months_since_first"),
        }[table]
        self._none(
            f"SELECT count(*) FROM (SELECT 1 FROM {view} GROUP BY {key} HAVING count(*) > 1)",
            f"keys of {table} twice",
        )

    def _health(self, days: DayRange) -> None:
        sale, refund = "FILTER (kind = 'sale')", "FILTER (kind = 'refund')"
        signed = "CASE kind WHEN 'sale' THEN amount WHEN 'refund' THEN -amount END"
        anonymous = "customer_key IS NULL"
        bought = "orders > 0 AND (net_revenue > 0 OR refunded = 0)"
        self._write(
            "gold/business_health",
            f"""WITH every_day AS (
                SELECT unnest(generate_series(TIMESTAMP '{days.first}', TIMESTAMP '{days.last}',
                    INTERVAL 1 DAY))::DATE AS business_date
            ), sales AS (
                SELECT business_date, count(*) {sale} AS orders, count(*) {refund} AS refunds,
                    count(*) FILTER (kind = 'cancelled') AS cancelled, sum(items) {sale} AS items,
                    sum(amount) {sale} AS gross_revenue, sum(amount) {refund} AS refunded,
                    sum({signed}) AS net_revenue,
                    count(*) FILTER (kind = 'sale' AND {anonymous}) AS anonymous_orders,
                    sum({signed}) FILTER ({anonymous}) AS anonymous_revenue
                FROM transactions GROUP BY 1
            ), active AS (
                SELECT business_date, count(*) AS active_customers FROM days WHERE {bought}
                GROUP BY 1
            ), new AS (
                SELECT business_date, count(*) AS new_customers
                FROM (SELECT min(business_date) AS business_date FROM days WHERE {bought}
                    GROUP BY customer_key)
                GROUP BY 1
            )
            SELECT business_date, coalesce(orders, 0)::INTEGER AS orders,
                coalesce(refunds, 0)::INTEGER AS refunds,
                coalesce(cancelled, 0)::INTEGER AS cancelled, coalesce(items, 0)::INTEGER AS items,
                coalesce(gross_revenue, 0)::{_MONEY} AS gross_revenue,
                coalesce(refunded, 0)::{_MONEY} AS refunded,
                coalesce(net_revenue, 0)::{_MONEY} AS net_revenue,
                coalesce(anonymous_orders, 0)::INTEGER AS anonymous_orders,
                coalesce(anonymous_revenue, 0)::{_MONEY} AS anonymous_revenue,
                coalesce(active_customers, 0)::INTEGER AS active_customers,
                coalesce(new_customers, 0)::INTEGER AS new_customers,
                (coalesce(active_customers, 0) - coalesce(new_customers, 0))::INTEGER
                    AS returning_customers,
                coalesce(gross_revenue, 0)::{_MONEY}::DOUBLE / nullif(orders, 0)
                    AS average_order_value
            FROM every_day LEFT JOIN sales USING (business_date)
                LEFT JOIN active USING (business_date) LEFT JOIN new USING (business_date)""",
        )
        self._view("health", "gold/business_health")

    def _check_health(self) -> None:
        self._none(
            "SELECT (SELECT sum(net_revenue) FROM health) <> "
            "(SELECT sum(CASE kind WHEN 'sale' THEN amount WHEN 'refund' THEN -amount END) "
            "FROM transactions)",
            "revenue does not reconcile",
        )


def connect(memory: str | None = None, scratch: Path | None = None) -> duckdb.DuckDBPyConnection:
    """A DuckDB in memory, set for files partitioned by day.

    Args:
        memory: What it may take, as ``8GB``; unset: 80 % of the machine's.
        scratch: Folder for what does not fit.

    Two years of days are more files than DuckDB keeps open by default; it would write several
    to a day. Order of insertion means nothing here and costs memory.
    """
    connection = duckdb.connect()
    connection.execute("SET partitioned_write_max_open_files = 1000")
    connection.execute("SET preserve_insertion_order = false")
    if memory is not None:
        connection.execute("SET memory_limit = $memory", {"memory": memory})
    if scratch is not None:
        connection.execute("SET temp_directory = $folder", {"folder": str(scratch)})
    return connection


def _sql_list(values: list[list[str]]) -> str:
    rows = (", ".join("'" + value.replace("'", "''") + "'" for value in row) for row in values)
    return "[" + ", ".join(f"[{row}]" for row in rows) + "]"
