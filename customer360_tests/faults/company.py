"""A company whose nights are broken: its home before each step, and what the step makes of it.

Its step is run undisturbed once. Each fault is then put to a copy of the home as it was before the
step, and what comes of the step that is run again is compared with the undisturbed one, row by row.
"""

from __future__ import annotations

import csv
import gzip
import io
import random
import shutil
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow.compute as pc
import pytest
from psycopg import sql
from pyspark.sql import SparkSession

from customer360.cli import common as cli
from customer360.deployment import Deployment
from customer360.lakehouse.commits import Moment, listening
from customer360.lakehouse.reading import Tables
from customer360.models.tracking import exhibited_models
from customer360.pipeline.account import reconcile
from customer360.pipeline.backup import back_up, restore
from customer360.pipeline.forgotten import forgotten_secret
from customer360.pipeline.run_models import tracking_of
from customer360.privacy.journal import audit, rotation_file, under_way
from customer360.serving.contact_log import mark
from customer360.serving.warehouse import open_warehouse, take_down
from customer360.settings import Settings, load_settings, remember, write_whole
from customer360.sources.synthetic import DefectRates, generate
from customer360.table_names import CUSTOMER_DAYS
from customer360_tests.deployments import BOOKKEEPING

FIRST, LAST = date(2024, 1, 1), date(2024, 3, 30)
LOADED_TO, RELOADED_FROM = date(2024, 3, 23), date(2024, 3, 20)

SHOP = """
name: shop
time_zone: America/New_York
currency: USD
date_format: "yyyy-MM-dd HH:mm:ss"
grain: orders
columns:
  order_id: order
  customer_id: customer
  occurred_at: placed
  amount: total
  email: mail
"""
"""Of files as a shop's till writes them; its zone has daylight saving within the days."""

Rows = Mapping[str, Counter[str]]
"""By table: how many times each row is there, as text."""

_PUBLISHED = ("gold", "silver", "marts", "serving", "staging")
_OF_RUNS = ("publications", "runs")
"""Tables that say when somebody ran what: who runs a step again has run it more often."""

_LEAVING, _NEW_SECRET = "leaving.txt", "new-secret.txt"
"""In a home: who is to be forgotten, and what keys are to be made with instead."""

_CALLED = "at_risk_valuable"
"""The list of which some are marked as contacted."""

_BACKUP, _SECRETS, _RESTORED = "backup", "backup-secrets.json", "restored"
"""Beside a home: its backup, that one's secrets, and the home that is made of them."""

_BOOKKEEPING = BOOKKEEPING | {"published_at", "erasure", "forgotten_at", "noted_at"}


@dataclass(frozen=True)
class Step:
    """What somebody does to the deployment.

    Attributes:
        name: As the page names it.
        command: What is typed behind ``customer360``; ``{home}`` and ``{beside}`` are the home and
            the folder that it is in.
        last: Up to which day there are files.
        after: The step at whose end it begins; None: nothing has been done yet.
        publishes: Whether it writes the warehouse.
        home: Which home it is typed for.
    """

    name: str
    command: tuple[str, ...]
    last: date
    after: str | None = None
    publishes: bool = False
    home: str = "{home}"

    def typed(self, settings: Settings, command: tuple[str, ...] = ()) -> list[str]:
        """What is typed for a home.

        Args:
            settings: The home's.
            command: Instead of the step's own.
        """
        places = {"home": settings.home, "beside": settings.home.parent}
        words = (*(command or self.command), "--home", self.home)
        return [word.format(**places) for word in words]


def _run(steps: str, first: date, last: date) -> tuple[str, ...]:
    return ("run", "--steps", steps, "--from", str(first), "--to", str(last))


LOAD = Step("first load", _run("etl", FIRST, LOADED_TO), LOADED_TO)
NIGHT = Step("night", _run("etl", RELOADED_FROM, LAST), LAST, LOAD.name)
UPKEEP = Step("upkeep", ("maintain",), LAST, NIGHT.name)
FORGETTING = Step(
    "forgetting", ("privacy", "forget", "--yes", "c0001@example.com"), LAST, NIGHT.name
)
TRAINING = Step("training", _run("train", RELOADED_FROM, LAST), LAST, NIGHT.name)
SCORING = Step("scoring", _run("snapshot", RELOADED_FROM, LAST), LAST, TRAINING.name)
PUBLISHING = Step("publishing", _run("publish", RELOADED_FROM, LAST), LAST, SCORING.name, True)
FORGETTING_PUBLISHED = Step(
    "forgetting what was published",
    ("privacy", "forget", "--yes", "--file", f"{{home}}/{_LEAVING}"),
    LAST,
    PUBLISHING.name,
    True,
)
ROTATING = Step(
    "rotation of the keys",
    ("privacy", "rotate-key", "--secret-file", f"{{home}}/{_NEW_SECRET}"),
    LAST,
    PUBLISHING.name,
    True,
)
BACKING_UP = Step(
    "backup",
    ("backup", f"{{beside}}/{_BACKUP}", "--secrets", f"{{beside}}/{_SECRETS}"),
    LAST,
    PUBLISHING.name,
    True,
)
RESTORING = Step(
    "restoring",
    ("restore", f"{{beside}}/{_BACKUP}", "--secrets", f"{{beside}}/{_SECRETS}"),
    LAST,
    PUBLISHING.name,
    True,
    f"{{beside}}/{_RESTORED}",
)

STEPS = (
    *(LOAD, NIGHT, UPKEEP, FORGETTING, TRAINING, SCORING, PUBLISHING),
    *(FORGETTING_PUBLISHED, ROTATING, BACKING_UP, RESTORING),
)


@dataclass(frozen=True)
class Difference:
    """What a home lacks, or has too much, of the undisturbed one.

    Attributes:
        tables: Those that differ.
        rows: Rows that only one of both has.
        cents: By how much the net revenue differs.
    """

    tables: tuple[str, ...] = ()
    rows: int = 0
    cents: int = 0


@dataclass
class Company:
    """The homes of one company.

    Attributes:
        folder: Where all is kept; paths that a run notes lead through ``<folder>/home``.
        spark: The session in which steps are run again.
        commits: By step: the tables that it writes, in order, once for each commit.
        grown: By step: by how many bytes the undisturbed step made the home grow.
    """

    folder: Path
    spark: SparkSession
    commits: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    grown: dict[str, int] = field(default_factory=dict)
    _rows: dict[str, Rows] = field(default_factory=dict)
    _net: dict[str, Decimal] = field(default_factory=dict)
    _homes: int = 0

    @property
    def home(self) -> Path:
        """What all homes are called, one at a time: a link to where the files are."""
        return self.folder / "home"

    def open(self, steps: Collection[Step] = STEPS, *, customers: int) -> None:
        """Make the company, and do ``steps``, undisturbed."""
        real = self.folder / "real"
        real.mkdir(parents=True)
        self.home.symlink_to(real, target_is_directory=True)
        found_company(self.home, customers)
        self._copy(self._ended(None), self.home)
        for step in steps:
            settings = self.before(step)
            size = size_of(settings.home)
            written = self.commits[step.name]

            def note(moment: Moment, table: str, to: list[str] = written) -> None:
                if moment is Moment.BEFORE:
                    to.append(table)

            with listening(note):
                do_here(settings, step)
            self.grown[step.name] = size_of(settings.home) - size
            made = outcome(settings, step)
            self._rows[step.name] = rows_of(made, step)
            self._net[step.name] = net_of(made)
            if step is PUBLISHING:
                mark_contacts(settings)
            take_down(made)
            take_down(settings)
            self._copy(self._ended(step.name), self.home)

    def before(self, step: Step, *, on: Path | None = None) -> Settings:
        """A home as it was before ``step``.

        Args:
            step: The step.
            on: Another disk to put it on.
        """
        take_down(load_settings(self.home))
        _empty(self.folder / _RESTORED)
        for left in (_BACKUP, f".{_BACKUP}.part", f".{_RESTORED}.part"):
            shutil.rmtree(self.folder / left, ignore_errors=True)
        shutil.rmtree(self.home.resolve())
        real = (on or self.folder) / "real"
        real.mkdir()
        self.home.unlink()
        self.home.symlink_to(real, target_is_directory=True)
        self._copy(self.home, self._ended(step.after))
        deliver(self.home, step.last)
        # Whoever has had the former home open, such as Delta's cache, knows nothing of this name.
        settings = self.seen_anew()
        if step is RESTORING:
            back_up(settings, self.folder / _BACKUP, self.folder / _SECRETS)
            take_down(settings)
        return settings

    def seen_anew(self) -> Settings:
        """The home as it is, by a name under which nobody has had it open.

        Delta and MLflow remember what they have seen under a name; another process has changed it.
        """
        self._homes += 1
        alias = self.folder / f"home{self._homes:04}"
        alias.symlink_to("home", target_is_directory=True)
        return load_settings(alias)

    def difference(self, settings: Settings, step: Step) -> Difference:
        """Between a home in which ``step`` was run and the undisturbed one."""
        settings = outcome(settings, step)
        ours, theirs = rows_of(settings, step), self._rows[step.name]
        rows, tables = 0, []
        for table in sorted({*ours, *theirs}):
            left, right = ours.get(table, Counter()), theirs.get(table, Counter())
            only = (left - right).total() + (right - left).total()
            if only or (table in ours) != (table in theirs):
                tables.append(table)
                rows += only
        deployment = Deployment.of(load_settings(settings.home))
        tables += reconcile(Tables(settings.lakehouse_root), deployment).differences
        cents = int(abs(net_of(settings) - self._net[step.name]) * 100)
        return Difference(tuple(tables), rows, cents)

    def forget_tables(self) -> None:
        """Let Delta forget the tables of former homes, which would fill Java's memory."""
        java = self.spark._jvm
        assert java is not None
        java.org.apache.spark.sql.delta.DeltaLog.clearCache()

    def close(self) -> None:
        """Let go of what runs."""
        take_down(load_settings(self.folder / _RESTORED))
        take_down(load_settings(self.home))

    def _ended(self, name: str | None) -> Path:
        return self.folder / "ended" / (name or "nothing")

    @staticmethod
    def _copy(target: Path, source: Path) -> None:
        target.mkdir(parents=True, exist_ok=True)
        subprocess.run(["cp", "-a", f"{source}/.", str(target)], check=True)


def do_here(settings: Settings, step: Step) -> None:
    """Do ``step`` in this process, as the command does.

    Raises:
        Customer360Error: It failed.
    """
    command, done = step.command, {line["what"] for line in audit(settings)}
    if step in (FORGETTING, FORGETTING_PUBLISHED):
        if under_way(settings) is not None:
            command = ("privacy", "forget", "--resume")  # as the command says that was stopped
        elif "forget" in done:
            return  # killed after its end: nobody is known by that name any more
    elif step is ROTATING:
        if rotation_file(settings).exists():
            command = ("privacy", "rotate-key", "--resume")
        elif "rotate-key" in done:
            return
    elif step is RESTORING:
        _empty(settings.home.parent / _RESTORED)  # of a home that is not empty it says so
    arguments = ["customer360", *step.typed(settings, command)]
    with pytest.MonkeyPatch.context() as patched, redirect_stdout(io.StringIO()):
        patched.setattr(sys, "argv", arguments)
        cli.app(arguments[1:], standalone_mode=False)


def rows_of(settings: Settings, step: Step) -> Rows:
    """All rows of all tables and lists; of the warehouse and its marts after they are published.
    After training, which models score, too.

    What says when, or by which run, a row was made is left out.
    """
    found: dict[str, Counter[str]] = {}
    tables = Tables(settings.lakehouse_root)
    for table in tables.tables():
        arrow = tables.dataset(table).to_table()
        kept = sorted(set(arrow.column_names) - _BOOKKEEPING)
        found[table] = Counter(str(tuple(row.values())) for row in arrow.select(kept).to_pylist())
    for file in sorted(settings.home.glob("exports/*/*.csv")):
        found[f"exports/{file.name}"] = Counter(file.read_text(encoding="utf-8").splitlines())
    if step is TRAINING:
        champions = [each for each in exhibited_models(tracking_of(settings)) if each.is_champion]
        found["champions"] = Counter(
            f"{each.model} {each.as_of} {each.status}" for each in champions
        )
    return found | (dict(_published(settings)) if step.publishes else {})


def net_of(settings: Settings) -> Decimal:
    """Net revenue of all customers and days: sales less refunds."""
    days = Tables(settings.lakehouse_root).dataset(CUSTOMER_DAYS).to_table(["net_revenue"])
    return pc.sum(days["net_revenue"]).as_py() or Decimal(0)


def size_of(folder: Path) -> int:
    """Bytes of all files below ``folder``."""
    return sum(file.lstat().st_size for file in folder.resolve().rglob("*") if file.is_file())


def _published(settings: Settings) -> Iterator[tuple[str, Counter[str]]]:
    with open_warehouse(settings).owner.connect() as owner:
        named = owner.execute(
            "SELECT table_schema, table_name, array_agg(column_name::text ORDER BY column_name) "
            "FROM information_schema.columns WHERE table_schema = ANY(%s) "
            "AND table_name <> ALL(%s) GROUP BY 1, 2",
            [list(_PUBLISHED), list(_OF_RUNS)],
        ).fetchall()
        for schema, table, columns in named:
            query = sql.SQL("SELECT ROW({})::text FROM {}").format(
                sql.SQL(", ").join(
                    sql.Identifier(name) for name in columns if name not in _BOOKKEEPING
                ),
                sql.Identifier(schema, table),
            )
            rows = owner.execute(query).fetchall()
            yield f"warehouse {schema}.{table}", Counter(row[0] for row in rows)


def outcome(settings: Settings, step: Step) -> Settings:
    """Where one sees what ``step`` did: in the home, or in what a backup is restored to."""
    if step not in (BACKING_UP, RESTORING):
        return settings
    beside = settings.home.parent
    if step is BACKING_UP:
        _empty(beside / _RESTORED)
        restore(beside / _BACKUP, beside / _RESTORED, beside / _SECRETS)
    return load_settings(beside / _RESTORED)


def _empty(home: Path) -> None:
    """Remove a home, and the server that works on it."""
    if home.exists():
        take_down(load_settings(home))
        shutil.rmtree(home)


def mark_contacts(settings: Settings) -> None:
    """Mark some of a list as contacted; the first of them will be among those who leave."""
    with (settings.exports_dir / str(LAST) / f"{_CALLED}.csv").open(encoding="utf-8") as file:
        keys = [row["customer_key"] for row in csv.DictReader(file)][:6]
    reader = open_warehouse(settings).reader
    mark(reader, _CALLED, LAST, keys, control_share=0.5, pause_days=30, control_days=91)
    write_whole(settings.home / _LEAVING, f"{keys[0]}\nc0001@example.com\n")


def found_company(home: Path, customers: int) -> None:
    """Its choices and, of one of its two sources, the data; `deliver` brings the other's."""
    mapping = home / "shop.yaml"
    remember(
        home,
        {
            "sources": ["synthetic", "files"],
            "files_mapping": [str(mapping)],
            "files_path": home / "raw" / "shop",
            "start_date": FIRST,
            # Short, so that a few weeks of data teach and test the models.
            "lifetime_value_holdout_days": 28,
            "churn_horizon_days": 14,
            "churn_activity_days": 28,
            "revenue_horizon_days": 14,
            "quarantine_limit": 0.5,
            "optimize_after_commits": 1,  # so that upkeep has something to do
        },
    )
    mapping.write_text(SHOP, encoding="utf-8")
    secrets = home / "secrets"
    secrets.mkdir(mode=0o700)
    write_whole(secrets / "customer_key", "known to the tests")
    write_whole(home / _NEW_SECRET, "another that is known to the tests")
    forgotten_secret(load_settings(home))  # made once, or no two erasures would be alike
    generate(
        load_settings(home).raw_dir / "synthetic",
        customers=customers,
        start=FIRST,
        end=LAST,
        seed=11,
        defects=DefectRates().scaled(8),
    )
    (home / "raw" / "shop").mkdir()


def deliver(home: Path, until: date) -> None:
    """The shop's files as they are at the end of ``until``: a month each, the newest growing."""
    chance, number = random.Random(7), 0
    months: dict[int, list[list[object]]] = {}
    for day in range((until - FIRST).days + 1):
        for _ in range(chance.randint(3, 9)):
            number += 1
            placed = datetime.combine(FIRST, datetime.min.time()) + timedelta(
                days=day, seconds=chance.randrange(86_400)
            )
            who = f"c{chance.randint(1, 60):04}"
            total = f"{chance.randint(100, 20_000) / 100:.2f}"
            row = [f"W{number:05}", who, placed, total, f"{who}@example.com"]
            months.setdefault(placed.month, []).append(row)
    for month, rows in months.items():
        text = io.StringIO()
        csv.writer(text).writerows([["order", "customer", "placed", "total", "mail"], *rows])
        content, name = text.getvalue().encode(), f"orders-{month:02}.csv"
        if month < LAST.month:  # packed when it is over: both are read in their own way
            content, name = gzip.compress(content, mtime=0), f"{name}.gz"
        file = home / "raw" / "shop" / name
        if not file.exists() or file.read_bytes() != content:
            file.write_bytes(content)
