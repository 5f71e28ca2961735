"""From a past campaign with a control group to what contacting did: a file that pages show.

The campaign is a CSV file, or who was marked on the call list. Features are those of the day before
the campaign, the outcome is a purchase within the window from its day on, so both groups are looked
at over the same days.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

import pandas as pd
import pyarrow as pa
from pyspark.sql import functions as F

from customer360.errors import Customer360Error, listed
from customer360.gold.customer_features import customer_features
from customer360.models.churn.features import NUMERIC_FEATURES
from customer360.models.outcomes import outcomes
from customer360.models.uplift import Uplift, UpliftError, measured
from customer360.pipeline.workspace import Workspace
from customer360.quoting import shown_header
from customer360.serving.contact_log import all_contacts
from customer360.serving.warehouse import is_made, open_warehouse
from customer360.settings import Settings, write_whole
from customer360.silver.keys import customer_key_of
from customer360.table_names import CUSTOMER_DAYS

COLUMNS = ("customer_key", "source", "source_customer_id", "contacted", "date")
"""Columns that a campaign's file may have; a key or an id, ``contacted`` and ``date`` it must."""

_YES = {"yes": True, "no": False, "true": True, "false": False, "1": True, "0": False,
        "sim": True, "não": False, "nao": False}  # fmt: skip


_KEY = re.compile("[0-9a-f]{64}")
_YEARS = range(1970, 2200)
"""Of a campaign; dates far beyond have no day before or after them."""

_TOO_MANY = "beyond the header"


class CampaignError(Customer360Error):
    """A campaign cannot be read or is not over yet; the message says where and what to do."""


@dataclass(frozen=True)
class Contact:
    """A customer of a campaign.

    Attributes:
        customer_key: Who.
        contacted: Whether they were contacted; else they were kept back at random.
        on: Day of the campaign, of the business.
    """

    customer_key: str
    contacted: bool
    on: date


@dataclass(frozen=True)
class MeasuredCampaign:
    """What a campaign did, and of whom.

    Attributes:
        uplift: The figures.
        campaign: Name of the file, or ``call list``.
        first: First day of it.
        last: Last day of it.
        window_days: Days within which a purchase counts, the day of the contact among them.
        waiting: Customers whose window is not over; they are not in the figures.
        unknown: Customers who had not bought before; they are not in the figures.
        contacted_later: Customers who were kept back, and contacted before their window was over;
            they are not in the figures.
    """

    uplift: Uplift
    campaign: str
    first: date
    last: date
    window_days: int
    waiting: int
    unknown: int
    contacted_later: int = 0

    def stated(self) -> dict[str, object]:
        """As JSON holds it."""
        facts = {
            "campaign": self.campaign,
            "first": self.first.isoformat(),
            "last": self.last.isoformat(),
            "window_days": self.window_days,
            "waiting": self.waiting,
            "unknown": self.unknown,
            "contacted_later": self.contacted_later,
        }
        return facts | self.uplift.figures() | {"curve": self.uplift.curve.to_dict("list")}


def read_campaign(path: Path, sources: Sequence[str], secret: Callable[[], bytes]) -> list[Contact]:
    """The customers of a campaign's file, each once.

    Args:
        path: The CSV file: `COLUMNS`.
        sources: Names of the active sources.
        secret: Gives the secret of the customer keys; asked for only where customers are named by
            their ids.

    Raises:
        CampaignError: The file cannot be read, or a cell of it.
    """
    secret = cache(secret)
    found: dict[str, Contact] = {}
    for line, row in _rows(path):
        where = f"{path}, row {line}"
        key = (row.get("customer_key") or "").lower()
        if not key:
            source = row.get("source") or (sources[0] if len(sources) == 1 else "")
            own_id = row.get("source_customer_id")
            if not own_id or source not in sources:
                raise CampaignError(
                    f"{where}: expected a customer_key, or a source_customer_id with its source, "
                    f"one of {listed(sources)}"
                )
            key = customer_key_of(source, own_id, secret())
        if not _KEY.fullmatch(key):
            raise CampaignError(
                f"{where}, column customer_key: expected 64 digits and letters a to f, found "
                f"{len(key)} characters; whole keys are in `customer360 export` and in what the "
                "call list downloads"
            )
        if key in found:
            raise CampaignError(f"{where}: the customer is in the file already: keep one row")
        contacted = _YES.get((row.get("contacted") or "").lower())
        if contacted is None:
            raise CampaignError(f"{where}, column contacted: expected yes or no")
        try:
            on = date.fromisoformat(row.get("date") or "")
        except ValueError:
            raise CampaignError(f"{where}, column date: expected a day as 2025-06-30") from None
        if on.year not in _YEARS:
            raise CampaignError(f"{where}, column date: {on} is no day of a campaign")
        found[key] = Contact(key, contacted, on)
    return list(found.values())


def marked_contacts(settings: Settings, zone: str, window_days: int) -> tuple[list[Contact], int]:
    """Who was marked on the call list, by the first time that they were.

    Args:
        settings: The deployment's.
        zone: Of the business.
        window_days: Days within which a purchase counts.

    Returns:
        Them, and how many are not among them: see `first_contacts`.

    Raises:
        CampaignError: Nobody was, nobody was kept back, or not for so long.
    """
    kept_back_days = settings.contact_control_days
    if window_days > kept_back_days:
        raise CampaignError(
            f"who is kept back on the call list may be contacted after {kept_back_days} days: "
            f"choose {kept_back_days} or fewer by --window"
        )
    rows = all_contacts(open_warehouse(settings).owner) if is_made(settings) else []
    contacts, contacted_later = first_contacts(
        [
            Contact(key, not in_control, at.astimezone(ZoneInfo(zone)).date())
            for key, _, at, _, in_control in sorted(rows, key=lambda row: row[2])
        ],
        window_days,
    )
    if not any(not each.contacted for each in contacts):
        raise CampaignError(
            "nobody was kept back on the call list so far: mark contacts there, or give a past "
            "campaign by --campaign"
        )
    return contacts, contacted_later


def first_contacts(marks: Sequence[Contact], window_days: int) -> tuple[list[Contact], int]:
    """The first mark of each customer, but for those who were kept back and not left alone.

    Who was contacted and is contacted again stays: those who bought in between are on no list any
    more, so the others' leaving would make contacts look better than they are.

    Args:
        marks: In the order of time.
        window_days: Days within which a purchase counts, the day of the mark among them.

    Returns:
        The marks, and of how many customers there is none, as they were contacted in the window.
    """
    first: dict[str, Contact] = {}
    contacted_later = set()
    for each in marks:
        of = first.setdefault(each.customer_key, each)
        if each.contacted and not of.contacted and (each.on - of.on).days < window_days:
            contacted_later.add(each.customer_key)
    left = [each for key, each in first.items() if key not in contacted_later]
    return left, len(contacted_later)


def measure(
    work: Workspace,
    campaign: str,
    contacts: Sequence[Contact],
    window_days: int,
    contacted_later: int = 0,
) -> MeasuredCampaign:
    """What a campaign did; kept where pages look for it.

    Args:
        work: Where.
        campaign: What it is called.
        contacts: Its customers.
        window_days: Days within which a purchase counts.
        contacted_later: Of `first_contacts`, to tell.

    Raises:
        CampaignError: The window of none of its days is over, or nobody had bought before it.
        UpliftError: It has no control group, or is too small to learn from.
    """
    newest: date | None = work.tables.newest(CUSTOMER_DAYS, "business_date")
    # The day of the contact is the first of the window.
    over = [
        each for each in contacts if newest and each.on + timedelta(days=window_days - 1) <= newest
    ]
    if not over:
        raise CampaignError(
            f"the {window_days} days after the campaign are not over by {newest}: wait, or choose "
            "fewer by --window"
        )
    rows = _examples(work, over, window_days)
    unknown = len(over) - len(rows)
    if rows.empty:
        raise CampaignError(
            f"none of the {unknown} customers had bought before the campaign: see that its keys or "
            "ids, its source and its dates are those of this deployment"
        )
    try:
        uplift = measured(rows[list(NUMERIC_FEATURES)], rows["contacted"], rows["bought"])
    except UpliftError as error:
        if not unknown:
            raise
        raise UpliftError(
            f"{error}; {unknown} had not bought before it and do not count"
        ) from error
    days = [each.on for each in over]
    done = MeasuredCampaign(
        uplift,
        campaign,
        min(days),
        max(days),
        window_days,
        waiting=len(contacts) - len(over),
        unknown=unknown,
        contacted_later=contacted_later,
    )
    write_whole(work.deployment.settings.uplift_file, json.dumps(done.stated(), indent=2) + "\n")
    return done


def _examples(work: Workspace, contacts: Sequence[Contact], window_days: int) -> pd.DataFrame:
    """Features of the day before, whether contacted, and whether bought; who had ever bought."""
    before = [each.on - timedelta(days=1) for each in contacts]
    campaign = work.spark.createDataFrame(
        pa.table(
            {
                "customer_key": [each.customer_key for each in contacts],
                "as_of": pa.array(before, pa.date32()),
                "contacted": [int(each.contacted) for each in contacts],
            }
        )
    )
    days = work.lakehouse.read(CUSTOMER_DAYS).join(
        campaign.select("customer_key"), "customer_key", "left_semi"
    )
    dates = sorted(set(before))
    key = ["as_of", "customer_key"]
    bought = outcomes(days, dates, window_days).select(*key, "bought")
    rows = (
        campaign.join(customer_features(days, dates).select(*key, *NUMERIC_FEATURES), key)
        .join(bought, key, "left")
        .withColumn("bought", F.coalesce("bought", F.lit(0)))
        # The same rows in the same order: parts are drawn from it.
        .orderBy(*key)
    )
    found: pd.DataFrame = rows.toPandas()
    return found.astype(dict.fromkeys(NUMERIC_FEATURES, "float64"))


def _rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """The file's rows, each with the number of the line that it ends on; blank lines are none."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            # A spreadsheet writes semicolons where commas are in numbers.
            delimiter = max(",;\t", key=stream.readline().count)
            stream.seek(0)
            reader = csv.DictReader(stream, delimiter=delimiter, restkey=_TOO_MANY, strict=True)
            header = [name.strip().lower() for name in reader.fieldnames or []]
            reader.fieldnames = header
            _check_header(header, path)
            yield from _checked(reader, path)
    except OSError as error:
        raise CampaignError(
            f"campaign {path} cannot be read ({error.strerror}): name a CSV file by --campaign"
        ) from error
    except UnicodeDecodeError as error:
        raise CampaignError(f"{path}: expected text in UTF-8; save it so") from error


def _check_header(header: Sequence[str], path: Path) -> None:
    if not {"contacted", "date"} <= set(header) or not (
        {"customer_key", "source_customer_id"} & set(header)
    ):
        raise CampaignError(
            f"{path}, row 1: expected a header with customer_key or source_customer_id, "
            f"contacted and date, found {shown_header(header, COLUMNS) if header else 'nothing'}"
        )
    twice = [name for name in COLUMNS if header.count(name) > 1]
    if twice:
        raise CampaignError(f"{path}, row 1: {listed(twice)} is there twice: keep one")


def _checked(reader: csv.DictReader[str], path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    try:
        for cells in reader:
            if _TOO_MANY in cells or None in cells.values():
                found = "more" if _TOO_MANY in cells else "fewer"
                raise CampaignError(
                    f"{path}, row {reader.line_num}: expected as many cells as the header has, "
                    f"found {found}"
                )
            row = {name: cell.strip() for name, cell in cells.items() if name in COLUMNS}
            if any(row.values()):
                yield reader.line_num, row
    except csv.Error as error:
        raise CampaignError(
            f"{path}, row {reader.reader.line_num}: {error}; close a quotation mark that opens "
            "there"
        ) from error
