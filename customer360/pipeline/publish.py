"""From the lakehouse and the model registry into the warehouse."""

from __future__ import annotations

from datetime import date, timedelta
from functools import reduce

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from customer360.bronze.changes import is_deleted
from customer360.gold.customer_features import customer_features
from customer360.gold.first_orders import first_orders
from customer360.lakehouse.reading import Tables, engine, ordered_batches
from customer360.lakehouse.tables import days_predicate
from customer360.models.revenue.features import revenue_features
from customer360.models.revenue.spec import REVENUE
from customer360.models.revenue.training import training_dates
from customer360.models.tracking import exhibited_models
from customer360.pipeline.bronze_accounts import DELIVERY_DAY
from customer360.pipeline.closed_days import gone
from customer360.pipeline.make_gold import snapshot_dates
from customer360.pipeline.older_snapshots import edition, refuse_older
from customer360.pipeline.published_rows import published_rows, rules_of, told_in_groups
from customer360.pipeline.run_models import tracking_of
from customer360.pipeline.suppression import read_suppression_list, suppression_files
from customer360.pipeline.workspace import Workspace, changed_days
from customer360.serving import contacts, tables
from customer360.serving.eligibility import suppressed_customers
from customer360.serving.list_files import scratch_folder
from customer360.serving.measured_campaign import measured_fact
from customer360.serving.publishing import (
    Origin,
    Published,
    PublishedTable,
    forget_origin,
    has_columns,
    last_origin,
    newest_slice,
    publish,
    publish_rows,
)
from customer360.serving.shared_settings import shared_facts
from customer360.serving.suppression import SuppressionError
from customer360.serving.warehouse import Login, Warehouse
from customer360.table_names import (
    AS_OF,
    CUSTOMER_DAYS,
    CUSTOMERS,
    FEATURES,
    HISTORY,
    REJECTED,
    TRANSACTIONS,
    quarantine_of,
)

EXAMPLE_ROWS = 1_000_000
"""Rows of `gold.revenue_examples`, about: enough to train from, and not six copies of a million
customers; whole customers are left out."""

EXAMPLES_EVERY = timedelta(days=7)
"""They are made again when a week has passed, as the models are: they cost several snapshots."""


def publish_table(work: Workspace, warehouse: Warehouse, table: str) -> Published | None:
    """Bring the warehouse's copy of a lakehouse table up to date, with the days that changed.

    Returns:
        What changed; None where the copy has this version of the table already, or where there
        is no such table yet.

    Raises:
        OlderSnapshotsError: An older release made a snapshot that would be published.
    """
    lakehouse = work.lakehouse
    settings = work.deployment.settings
    if not lakehouse.exists(table):
        return None
    copy = tables.copy_of(table, personal_data=settings.publish_personal_data)
    version = lakehouse.version(table)
    frame = lakehouse.read(table, version=version)
    rules = rules_of(work, table)
    origin = Origin(work.run_id, version, f"{edition(work.tables, table)}{rules}")
    since = _published_version(warehouse.owner, copy, origin)
    if since == version:
        return None
    kept: list[date] = []
    if copy.sliced_by == AS_OF:
        kept = lakehouse.days_of(table, AS_OF)[-settings.warehouse_snapshots :]
    keep_from = kept[0] if kept else None
    if copy.sliced_by is None or since is None:
        refuse_older(work.tables, table, kept, settings)
        if keep_from is not None:
            frame = frame.where(F.col(AS_OF) >= F.lit(keep_from))
        with published_rows(work, table, frame, version) as rows:
            return publish(warehouse.owner, copy, rows, origin, keep_from=keep_from)
    days = sorted(
        day
        for day in changed_days(lakehouse, table, since, version)
        if keep_from is None or day >= keep_from
    )
    if not days:  # maintenance of the table, which changed no row
        return None
    refuse_older(work.tables, table, days, settings)
    changed = frame.where(days_predicate(copy.sliced_by, days))
    with published_rows(work, table, changed, version) as rows:
        return publish(warehouse.owner, copy, rows, origin, days=days, keep_from=keep_from)


def _published_version(owner: Login, copy: PublishedTable, now: Origin) -> int | None:
    """Version of the same Delta table that the copy has; None where it must be made as a whole.

    As it must after the lakehouse was made anew, or when the columns to publish are others.
    """
    before = last_origin(owner, copy)
    if before is None or before.delta_version is None or now.delta_version is None:
        return None
    anew = before.delta_table != now.delta_table or before.delta_version > now.delta_version
    return None if anew or not has_columns(owner, copy) else before.delta_version


def publish_revenue_examples(work: Workspace, warehouse: Warehouse) -> Published | None:
    """Put what the revenue model learns from, up to the newest snapshot, into the warehouse.

    The as-of dates are those of a training. A customer is in with all dates or with none; a hash
    of the key decides where there are more than `EXAMPLE_ROWS`.

    Returns:
        What changed; None within a week of the last time, or where there is no snapshot yet.
    """
    snapshots = snapshot_dates(work, FEATURES)
    if not snapshots:
        return None
    as_of = max(snapshots)
    days = work.lakehouse.read(CUSTOMER_DAYS)
    dates, horizon = training_dates(days, as_of, work.deployment.settings.revenue_horizon_days)
    table = tables.revenue_examples()
    origin = Origin(
        work.run_id,
        work.lakehouse.version(CUSTOMER_DAYS),
        work.lakehouse.identity(CUSTOMER_DAYS),
    )
    newest = newest_slice(warehouse.owner, table)
    recent = newest is not None and timedelta(0) <= max(dates) - newest < EXAMPLES_EVERY
    if recent and _published_version(warehouse.owner, table, origin) is not None:
        return None
    parts = 1_000_000
    customers = days.where(F.col("business_date") <= F.lit(max(dates))).select("customer_key")
    rows = customers.distinct().count() * len(dates)
    share = min(parts, parts * EXAMPLE_ROWS // max(rows, 1))

    def some(frame: DataFrame) -> DataFrame:
        return frame.where(F.pmod(F.xxhash64("customer_key"), F.lit(parts)) < share)

    features = revenue_features(
        customer_features(some(days), dates),
        first_orders(
            some(work.lakehouse.read(TRANSACTIONS)),
            some(work.lakehouse.read(HISTORY)),
            dates,
            time_zone=work.deployment.zone,
        ),
    )
    smallest = work.deployment.settings.published_group_min
    with told_in_groups(
        features, REVENUE.categorical_features, smallest=smallest, by=[AS_OF]
    ) as told:
        examples = told.withColumn("horizon_days", F.lit(horizon))
        return publish(warehouse.owner, table, examples, origin)


def publish_models(work: Workspace, warehouse: Warehouse) -> list[Published]:
    """Put registered versions, their figures and cards, and the champions' plots there."""
    origin = Origin(work.run_id)
    versions = exhibited_models(tracking_of(work.deployment.settings))
    owner = warehouse.owner
    return [
        publish_rows(
            owner,
            tables.MODELS,
            [
                (
                    each.model,
                    each.version,
                    each.is_champion,
                    each.as_of,
                    each.trained_at,
                    each.status,
                    each.because,
                    each.notes,
                    each.card,
                )
                for each in versions
            ],
            origin,
        ),
        publish_rows(
            owner,
            tables.MODEL_FIGURES,
            [
                (
                    each.model,
                    each.version,
                    name,
                    value,
                    each.figures.get(f"{name}_low"),
                    each.figures.get(f"{name}_high"),
                )
                for each in versions
                for name, value in sorted(each.figures.items())
                if not name.endswith(("_low", "_high"))
            ],
            origin,
        ),
        publish_rows(
            owner,
            tables.MODEL_PLOTS,
            [
                (each.model, each.version, name, png)
                for each in versions
                for name, png in sorted(each.plots.items())
            ],
            origin,
        ),
    ]


def publish_health(work: Workspace, warehouse: Warehouse) -> list[Published]:
    """Put there what became of the rows received, by day of delivery, and why some were refused.

    Always of all days: deliveries are made again, extracts replaced and late days restated, and
    counting rows by day reads no columns.
    """
    owner = warehouse.owner
    origin = Origin(work.run_id)
    bronze = [t for source in work.deployment.sources for t in source.tables]
    counted, reasons = [], []
    for name in bronze:
        if not work.lakehouse.exists(f"bronze/{name}"):
            continue
        table = F.lit(f"bronze/{name}").alias("table_name")
        rejected = _delivered(work, quarantine_of(name))
        one = F.lit(1).cast("bigint").alias("rows")
        counted.append(
            _delivered(work, f"bronze/{name}").select(
                table, "business_date", F.lit(1).alias("ok"), one
            )
        )
        # A row that its database deleted was accepted once: it is neither.
        counted.append(
            rejected.where(f"NOT {is_deleted()}").select(
                table, "business_date", F.lit(0).alias("ok"), one
            )
        )
        for stored, ok in ((f"bronze/{name}", 1), (quarantine_of(name), 0)):
            expired = _expired(work, stored)
            if expired is not None:
                counted.append(
                    expired.select(table, "business_date", F.lit(ok).alias("ok"), "rows")
                )
        reasons.append(_reasons(rejected, quarantine_of(name)))
    if work.lakehouse.exists(REJECTED):
        reasons.append(_reasons(work.lakehouse.read(REJECTED), REJECTED))
    if not counted:
        return []
    accounting = (
        reduce(DataFrame.unionByName, counted)
        .groupBy("table_name", "business_date")
        .agg(
            F.sum("rows").alias("received"),
            F.sum(F.col("ok") * F.col("rows")).alias("accepted"),
            F.sum((1 - F.col("ok")) * F.col("rows")).alias("quarantined"),
        )
    )
    why = (
        reduce(DataFrame.unionByName, reasons)
        .groupBy("table_name", "business_date", "reason")
        .agg(F.count("*").alias("rows"))
    )
    return [
        publish(owner, tables.ROW_ACCOUNTING, accounting, origin),
        publish(owner, tables.QUARANTINE, why, origin),
    ]


def publish_suppressed_customers(work: Workspace, warehouse: Warehouse) -> Published:
    """Put there whom of ``silver/customers`` the suppression list names; nobody without a list.

    Always anew: the list is a file, which has no version.

    Raises:
        SuppressionError: The list cannot be read. What was published before is still there, but
            not known as of any list: the mart of lists waits.
    """
    try:
        return _publish_suppressed_customers(work, warehouse)
    except SuppressionError:
        forget_origin(warehouse.owner, tables.SUPPRESSED_CUSTOMERS)
        raise


def _publish_suppressed_customers(work: Workspace, warehouse: Warehouse) -> Published:
    table = tables.SUPPRESSED_CUSTOMERS
    lakehouse, settings = work.lakehouse, work.deployment.settings
    if not suppression_files(settings) or not lakehouse.exists(CUSTOMERS):
        return publish_rows(warehouse.owner, table, [], Origin(work.run_id))
    tables_now = Tables(lakehouse.root)
    version = tables_now.version(CUSTOMERS)
    origin = Origin(work.run_id, version, tables_now.identity(CUSTOMERS))
    with (
        scratch_folder(settings.exports_dir, "suppressed_customers") as scratch,
        engine(scratch / "rows") as connection,
    ):
        contacts.prepare(connection)
        read_suppression_list(connection, "suppressed", work.deployment)
        connection.register("customers", tables_now.dataset(CUSTOMERS, version=version))
        named = suppressed_customers(
            "customers", "suppressed", default_country=settings.default_country
        )
        keys = (
            (key,)
            for batch in ordered_batches(connection, f"{named} ORDER BY customer_key")
            for key in batch.column("customer_key").to_pylist()
        )
        return publish_rows(warehouse.owner, table, keys, origin)


def publish_deployment(work: Workspace, warehouse: Warehouse) -> Published:
    """Put the facts about the deployment there that a reader of its figures needs."""
    deployment = work.deployment
    settings = deployment.settings
    facts = {
        "currency": deployment.currency,
        "zone": deployment.zone,
        "sources": ", ".join(source.name for source in deployment.sources),
        "start": settings.start_date,
        "last_day": max(snapshot_dates(work, FEATURES), default=settings.start_date),
        **shared_facts(settings),
        **measured_fact(settings),
    }
    rows = [(name, str(value)) for name, value in facts.items()]
    return publish_rows(warehouse.owner, tables.DEPLOYMENT, rows, Origin(work.run_id))


def _expired(work: Workspace, table: str) -> DataFrame | None:
    """Rows that went from a bronze or quarantine table for their age, by delivery; None: none."""
    past = gone(work.tables, table)
    if not past:
        return None
    days = pa.array([each.delivered_on for each in past], pa.date32())
    rows = pa.array([each.rows for each in past], pa.int64())
    return work.spark.createDataFrame(pa.table({"business_date": days, "rows": rows}))


def _delivered(work: Workspace, table: str) -> DataFrame:
    """Rows of a bronze or quarantine table with the day of delivery as ``business_date``."""
    # An extract has no day of its own: it is of the day it came.
    came = F.coalesce(F.col(DELIVERY_DAY), F.to_date("_ingested_at")).alias("business_date")
    frame = work.lakehouse.read(table)
    return frame.select(came, *(["reasons"] if "reasons" in frame.columns else []))


def _reasons(rejected: DataFrame, table: str) -> DataFrame:
    return rejected.select(
        F.lit(table).alias("table_name"), "business_date", F.explode("reasons").alias("reason")
    )
