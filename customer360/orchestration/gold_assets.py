"""Gold snapshots and the business's days, with the checks of what is published."""

from collections.abc import Mapping, Sequence
from datetime import date
from functools import partial
from typing import TYPE_CHECKING, Any

import dagster as dg

from customer360.contracts import Contract
from customer360.deployment import Deployment
from customer360.gold.snapshots import snapshot_tables
from customer360.models.lifetime_value.spec import LIFETIME_VALUE as LIFETIME_VALUE_MODEL
from customer360.models.registry import MODELS
from customer360.models.spec import ModelSpec
from customer360.orchestration.metadata import commit_metadata, day_list
from customer360.orchestration.partitions import AS_OF_PARTITIONS, days_of
from customer360.orchestration.running import dates_to_make
from customer360.orchestration.steps import Made, Step, step_asset, stops_at, warns_of
from customer360.settings import Settings
from customer360.table_names import (
    CUSTOMER_EQUITY,
    FEATURES,
    HEALTH,
    REVENUE_FORECAST,
)

DAYS_UNCHANGED = "days_unchanged"

if TYPE_CHECKING:
    from customer360.lakehouse.delta_log import Commit
    from customer360.pipeline.account import Reconciled
    from customer360.pipeline.workspace import Workspace


def gold_assets(
    deployment: Deployment, partitions: dg.PartitionsDefinition
) -> list[dg.AssetsDefinition]:
    """Assets of all gold tables; ``partitions`` are those of the business's days."""
    tables = [table for table in snapshot_tables() if deployment.makes(table)]
    as_of = [*map(_snapshots, tables), *map(_scores, MODELS), FORECAST]
    return [
        *(step_asset(deployment, AS_OF_PARTITIONS, step) for step in as_of),
        step_asset(deployment, partitions, BUSINESS_HEALTH),
    ]


# What computes is imported where it runs: loading the definitions must not load Spark and models.


def _snapshots(table: str) -> Step:
    """A table that its module makes of what its contract reads."""
    reads = Contract.load(table).reads
    checks = []
    if table == FEATURES:
        means = "The days that earlier snapshots were made of are what they were then."
        checks.append(warns_of(FEATURES, DAYS_UNCHANGED, means))
    return Step((table,), partial(_made_of, table, reads), reads, checks)


def _made_of(
    table: str, reads: Sequence[str], context: dg.AssetExecutionContext, work: "Workspace"
) -> Sequence[Made]:
    from customer360.pipeline import make_gold

    as_of = dates_to_make(context, work, reads)
    made = make_gold.make_snapshots(work, table, as_of)
    checks = []
    if table == FEATURES:
        checks.append(_days_unchanged(context, made.stale, work.deployment.settings))
    return [_of_dates(table, made.written, as_of, {}, checks)]


def _days_unchanged(
    context: dg.AssetExecutionContext, stale: Sequence[date], settings: Settings
) -> dg.AssetCheckResult:
    from customer360.pipeline.stale_snapshots import remedy

    sentence = remedy(stale, settings) if stale else None
    if sentence is not None:
        context.log.warning("%s", sentence)
    return dg.AssetCheckResult(
        check_name=DAYS_UNCHANGED,
        passed=not stale,
        severity=dg.AssetCheckSeverity.WARN,
        description=sentence,
        metadata={"stale_snapshots": len(stale)},
    )


def _scores(spec: ModelSpec[Any]) -> Step:
    """The scores of a model."""
    reads = [*spec.scored_from, spec.asset]
    return Step((spec.scores,), partial(_scored, spec, reads), reads)


def _scored(
    spec: ModelSpec[Any],
    reads: Sequence[str],
    context: dg.AssetExecutionContext,
    work: "Workspace",
) -> Sequence[Made]:
    from customer360.pipeline import run_models

    as_of = dates_to_make(context, work, reads)
    scored = run_models.score(work, spec, as_of)
    more = {"model_version": scored.model_version}
    return [_of_dates(spec.scores, scored.written, as_of, more)]


def _forecast(context: dg.AssetExecutionContext, work: "Workspace") -> Sequence[Made]:
    """Both tables come out of one computation."""
    from customer360.models.notes import in_english
    from customer360.pipeline.forecast import make_forecast

    as_of = dates_to_make(context, work, FORECAST.reads)
    result = make_forecast(work, as_of)
    more = {"model_version": result.model_version}
    if result.note is not None:
        more["note"] = in_english([result.note])
        context.log.warning("%s", more["note"])
    return [
        _of_dates(REVENUE_FORECAST, result.revenue_forecast, as_of, more),
        _of_dates(CUSTOMER_EQUITY, result.customer_equity, as_of, more),
    ]


FORECAST = Step(
    (REVENUE_FORECAST, CUSTOMER_EQUITY),
    _forecast,
    reads=(FEATURES, LIFETIME_VALUE_MODEL.asset),
    name="gold__forecast",
)


def _of_dates(
    table: str,
    written: "Commit",
    as_of: Sequence[date],
    more: Mapping[str, Any],
    checks: Sequence[dg.AssetCheckResult] = (),
) -> Made:
    return Made(table, commit_metadata(written, as_of=day_list(as_of), **more), checks, as_of)


def _business_health(context: dg.AssetExecutionContext, work: "Workspace") -> Sequence[Made]:
    from customer360.pipeline import account, audit, make_gold

    written, days = make_gold.make_business_health(work, days_of(context))
    in_health, in_transactions = audit.revenue_of(work, days)
    reconciled = account.reconcile(work.tables, work.deployment)
    checks = [
        dg.AssetCheckResult(
            check_name="account_closes",
            passed=not reconciled.differences,
            metadata={"differences": len(reconciled.differences)},
            description=reconciled.differences[0] if reconciled.differences else None,
        ),
        dg.AssetCheckResult(
            check_name="revenue_reconciles",
            passed=in_health == in_transactions,
            metadata={"business_health": str(in_health), "transactions": str(in_transactions)},
        ),
    ]
    left_out = _left_out(reconciled, work.deployment.currency)
    metadata = commit_metadata(written, days_made=str(days), left_out=left_out)
    return [Made(HEALTH, metadata, checks, list(days))]


BUSINESS_HEALTH = Step(
    (HEALTH,),
    _business_health,
    reads=Contract.load(HEALTH).reads,
    checks=(
        stops_at(
            HEALTH,
            "revenue_reconciles",
            "Net revenue of the days = sales - refunds in silver/transactions.",
        ),
        stops_at(
            HEALTH,
            "account_closes",
            "Over each source's whole life: rows received = bronze + quarantine; bronze, silver "
            "and what was left out hold what was accounted for day by day; orders and net revenue "
            "agree down to here (`customer360 reconcile`).",
        ),
    ),
)


def _left_out(reconciled: "Reconciled", currency: str) -> dg.MarkdownMetadataValue:
    """What is in no order: in quarantine, excluded or waiting, and how much money that is."""
    if not reconciled.left_out:
        return dg.MetadataValue.md("nothing")
    lines = [f"| source | table | why | rows | {currency} |", "|---|---|---|---:|---:|"]
    for line in reconciled.left_out:
        money = "" if line.money is None else f"{line.money:,.2f}"
        lines.append(
            f"| {line.source} | {line.table} | {line.what} | {line.rows or 0:,} | {money} |"
        )
    return dg.MetadataValue.md("\n".join(lines))
