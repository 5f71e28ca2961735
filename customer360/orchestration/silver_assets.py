"""The silver tables and the checks that stop the flow when rows do not add up."""

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING

import dagster as dg

from customer360.deployment import Deployment
from customer360.orchestration.failure import told_to_readers
from customer360.orchestration.metadata import commit_metadata, count_table, day_list
from customer360.orchestration.partitions import days_of
from customer360.orchestration.steps import Made, Step, step_asset, stops_at, warns_of
from customer360.table_names import (
    CUSTOMER_DAYS,
    CUSTOMERS,
    HISTORY,
    ORDER_LINES,
    REJECTED,
    TRANSACTIONS,
)

if TYPE_CHECKING:
    from customer360.pipeline.load_silver import TransactionsLoaded
    from customer360.pipeline.workspace import Workspace


def silver_assets(
    deployment: Deployment, partitions: dg.PartitionsDefinition
) -> list[dg.AssetsDefinition]:
    """Assets of the silver tables that the deployment makes, and of what they refuse."""
    bronze = [f"bronze/{table}" for source in deployment.sources for table in source.tables]
    return [step_asset(deployment, partitions, step) for step in _steps(bronze)]


def _steps(bronze: Sequence[str]) -> tuple[Step, ...]:
    """What is made of what, in that order; ``bronze`` are the tables of all sources."""
    return (
        Step((CUSTOMERS,), _customers, reads=bronze, checks=(_names_nobody(CUSTOMERS),)),
        Step(
            (HISTORY,),
            _customer_history,
            reads=(*bronze, CUSTOMERS),  # whom it refers to
            checks=(
                stops_at(
                    HISTORY, "one_current_version", "Exactly one version a customer is current."
                ),
            ),
        ),
        Step(
            (TRANSACTIONS, ORDER_LINES, REJECTED),
            _transactions,
            reads=(*bronze, CUSTOMERS),
            checks=(
                stops_at(
                    TRANSACTIONS,
                    "rows_accounted",
                    "Rows in = rows kept + duplicates + corrections + rows excluded, for every "
                    "source.",
                ),
                stops_at(
                    TRANSACTIONS,
                    "orders_agree",
                    "Few orders have rows that contradict each other: none where the mapping says "
                    "`conflicts: stop`; else no more of the money, or of more than a few rows, "
                    "than may be in quarantine.",
                ),
                stops_at(
                    TRANSACTIONS,
                    "exclusions_share",
                    "What is left out though neither the mapping nor the source's own rules say so "
                    "(unknown customers, sales below zero, other money) is no more of the rows, or "
                    "of the money, than may be in quarantine; most rows are of the mapping's "
                    "currency.",
                ),
                _names_nobody(TRANSACTIONS),
                _names_nobody(ORDER_LINES),
                stops_at(
                    ORDER_LINES,
                    "lines_add_up",
                    "The lines of every order add up to it in silver/transactions.",
                ),
            ),
        ),
        Step((CUSTOMER_DAYS,), _customer_days, reads=(TRANSACTIONS,)),
    )


def _names_nobody(table: str) -> dg.AssetCheckSpec:
    return warns_of(
        table,
        "names_nobody",
        "No text or id had to be masked because a person could be read in it.",
    )


# What computes is imported where it runs: loading the definitions must not load Spark.


def _customers(context: dg.AssetExecutionContext, work: "Workspace") -> Sequence[Made]:
    from customer360.pipeline import load_silver

    written = load_silver.load_customers(work, days_of(context))
    rows = {"dagster/row_count": work.lakehouse.rows(CUSTOMERS)}
    metadata = commit_metadata(written, rows_changed=written.rows) | rows
    return [Made(CUSTOMERS, metadata, [_masked(work, CUSTOMERS)])]


def _customer_history(context: dg.AssetExecutionContext, work: "Workspace") -> Sequence[Made]:
    from customer360.pipeline import audit, load_silver

    written = load_silver.load_customer_history(work, days_of(context))
    versions = audit.audit_history(work)
    current = dg.AssetCheckResult(
        check_name="one_current_version",
        passed=versions.current == versions.customers,
        metadata={"customers": versions.customers, "current_versions": versions.current},
    )
    rows = {"dagster/row_count": versions.versions}
    return [Made(HISTORY, commit_metadata(written) | rows, [current])]


def _transactions(context: dg.AssetExecutionContext, work: "Workspace") -> Sequence[Made]:
    from customer360.pipeline import audit, load_silver

    days = days_of(context)
    loaded = load_silver.load_transactions(work, days)
    astray = audit.rows_astray(work, loaded.days, loaded.accounting)
    astray += audit.money_astray(work, loaded.days, loaded.money)
    mended = day_list([day for day in loaded.days if day not in days])
    accounted = dg.AssetCheckResult(
        check_name="rows_accounted",
        passed=not astray and all(a.missing == 0 for a in loaded.accounting.values()),
        metadata={f"{n}_missing": a.missing for n, a in loaded.accounting.items()},
        description="; ".join(astray) or None,
    )
    made = [
        Made(
            TRANSACTIONS,
            commit_metadata(
                loaded.written,
                earlier_days_mended=mended,
                accounting=dg.MetadataValue.md(_accounting_table(loaded)),
            ),
            [
                accounted,
                _agreement(context, work, loaded),
                _exclusions(work, loaded),
                _masked(work, TRANSACTIONS, loaded.days),
            ],
            loaded.days,
        )
    ]
    if loaded.lines is not None:
        astray_lines = audit.lines_astray(work, loaded.days)
        add_up = dg.AssetCheckResult(
            check_name="lines_add_up",
            passed=astray_lines.count == 0,
            metadata={"orders_differing": astray_lines.count},
            description=astray_lines.description,
        )
        metadata = commit_metadata(loaded.lines, earlier_days_mended=mended)
        masked = _masked(work, ORDER_LINES, loaded.days)
        made.append(Made(ORDER_LINES, metadata, [add_up, masked], loaded.days))
    excluded: dict[str, int] = {}
    for accounting in loaded.accounting.values():
        for reason, rows in accounting.excluded.items():
            excluded[reason] = excluded.get(reason, 0) + rows
    reasons = count_table(excluded, "reason")
    made.append(Made(REJECTED, {"dagster/row_count": sum(excluded.values()), "reasons": reasons}))
    return made


def _customer_days(context: dg.AssetExecutionContext, work: "Workspace") -> Sequence[Made]:
    from customer360.pipeline import load_silver

    days = days_of(context)
    written, made = load_silver.load_customer_days(work, days)
    mended = day_list([day for day in made if day not in days])
    return [Made(CUSTOMER_DAYS, commit_metadata(written, earlier_days_mended=mended), days=made)]


def _masked(
    work: "Workspace", table: str, days: Sequence[date] | None = None
) -> dg.AssetCheckResult:
    """The check ``names_nobody``: a warning where texts were masked, with how many."""
    from customer360.pipeline import audit

    masked = audit.masked_cells(work, table, days)
    return dg.AssetCheckResult(
        check_name="names_nobody",
        passed=masked.count == 0,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"masked_cells": masked.count},
        description=masked.description,
    )


def _agreement(
    context: dg.AssetExecutionContext, work: "Workspace", loaded: "TransactionsLoaded"
) -> dg.AssetCheckResult:
    """The check ``orders_agree``: a warning where a few orders are set aside."""
    from customer360.pipeline import conflicts

    stops, sentences, for_readers = False, [], []
    for source in work.deployment.sources:
        account = loaded.accounting[source.name]
        if account.conflicts:
            sentences.append(conflicts.explained(work, source, account))
            for_readers.append(conflicts.explained(work, source, account, named=False))
            stops |= conflicts.too_many(source, account, work.deployment.limits)
    if sentences and not stops:
        context.log.warning(" ".join(sentences))
    return dg.AssetCheckResult(
        check_name="orders_agree",
        passed=not sentences,
        severity=dg.AssetCheckSeverity.ERROR if stops else dg.AssetCheckSeverity.WARN,
        metadata={f"{n}_conflicts": a.conflicts for n, a in loaded.accounting.items()}
        | told_to_readers(" ".join(for_readers)),
        description=" ".join(sentences) or None,
    )


def _exclusions(work: "Workspace", loaded: "TransactionsLoaded") -> dg.AssetCheckResult:
    from customer360.pipeline import other_currencies, refusals

    limits = work.deployment.limits
    over = [
        source
        for source in work.deployment.sources
        if loaded.accounting[source.name].untold.over(limits)
    ]
    sentences, for_readers = (
        [
            refusals.exclusions_explained(work, each, loaded.accounting[each.name], named=named)
            for each in over
        ]
        for named in (True, False)
    )
    foreign = [
        line
        for source in work.deployment.sources
        if (line := other_currencies.mostly_other(work, source, loaded.accounting[source.name]))
    ]
    return dg.AssetCheckResult(
        check_name="exclusions_share",
        passed=not sentences and not foreign,
        metadata={f"{n}_money": str(a.untold.money) for n, a in loaded.accounting.items()}
        | {f"{n}_rows": a.untold.rows for n, a in loaded.accounting.items()}
        | told_to_readers(" ".join([*for_readers, *foreign])),
        description=" ".join([*sentences, *foreign]) or None,
    )


def _accounting_table(loaded: "TransactionsLoaded") -> str:
    lines = [
        "| source | rows in | kept | duplicates | corrections | excluded |",
        "|---|---:|---:|---:|---:|---|",
    ]
    for name, a in loaded.accounting.items():
        why = ", ".join(f"{reason} {rows:,}" for reason, rows in a.excluded.items()) or "0"
        counts = (a.rows_in, a.kept, a.duplicates, a.corrections)
        lines.append(f"| {name} | {' | '.join(f'{n:,}' for n in counts)} | {why} |")
    return "\n".join(lines)
