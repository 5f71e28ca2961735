"""The four silver tables and the checks that stop the flow when rows do not add up."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import dagster as dg

from customer360.contracts import Contract
from customer360.deployment import Deployment
from customer360.orchestration.contract_checks import contract_checks, contract_results
from customer360.orchestration.failure import told
from customer360.orchestration.metadata import (
    asset_key,
    commit_metadata,
    count_table,
    day_list,
    selected,
    table_spec,
)
from customer360.orchestration.partitions import days_of
from customer360.orchestration.resources import SparkResource
from customer360.orchestration.running import workspace
from customer360.table_names import CUSTOMER_DAYS, CUSTOMERS, HISTORY, REJECTED, TRANSACTIONS

if TYPE_CHECKING:
    from customer360.pipeline.load_silver import TransactionsLoaded
    from customer360.pipeline.workspace import Workspace


def silver_assets(
    deployment: Deployment, partitions: dg.PartitionsDefinition
) -> list[dg.AssetsDefinition]:
    """Assets of silver/customers, customer_history, transactions and customer_days."""
    bronze = [f"bronze/{table}" for source in deployment.sources for table in source.tables]

    @dg.multi_asset(
        name="silver__customers",
        specs=[table_spec(Contract.load(CUSTOMERS), partitions=partitions, deps=bronze)],
        check_specs=contract_checks(Contract.load(CUSTOMERS)),
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    @told
    def customers(
        context: dg.AssetExecutionContext, spark: SparkResource
    ) -> Iterator[dg.MaterializeResult[None]]:
        from customer360.pipeline import load_silver

        work = workspace(context, spark, deployment)
        written = load_silver.load_customers(work, days_of(context))
        yield dg.MaterializeResult(
            asset_key=asset_key(CUSTOMERS),
            metadata=commit_metadata(written, rows_changed=written.rows)
            | {"dagster/row_count": work.lakehouse.rows(CUSTOMERS)},
            check_results=contract_results(work, Contract.load(CUSTOMERS)),
        )

    @dg.multi_asset(
        name="silver__customer_history",
        # After the customers, whom it refers to.
        specs=[
            table_spec(Contract.load(HISTORY), partitions=partitions, deps=[*bronze, CUSTOMERS])
        ],
        check_specs=[
            *contract_checks(Contract.load(HISTORY)),
            _check(HISTORY, "one_current_version", "Exactly one version a customer is current."),
        ],
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    @told
    def customer_history(
        context: dg.AssetExecutionContext, spark: SparkResource
    ) -> Iterator[dg.MaterializeResult[None]]:
        from customer360.pipeline import audit, load_silver

        work = workspace(context, spark, deployment)
        written = load_silver.load_customer_history(work, days_of(context))
        found = audit.audit_history(work)
        yield dg.MaterializeResult(
            asset_key=asset_key(HISTORY),
            metadata=commit_metadata(written) | {"dagster/row_count": found.versions},
            check_results=[
                *contract_results(work, Contract.load(HISTORY)),
                dg.AssetCheckResult(
                    check_name="one_current_version",
                    passed=found.current == found.customers,
                    metadata={"customers": found.customers, "current_versions": found.current},
                ),
            ],
        )

    @dg.multi_asset(
        name="silver__transactions",
        specs=[
            table_spec(
                Contract.load(TRANSACTIONS),
                partitions=partitions,
                deps=[*bronze, CUSTOMERS],
                skippable=True,
            ),
            table_spec(
                Contract.load(REJECTED),
                partitions=partitions,
                deps=[*bronze, CUSTOMERS],
                skippable=True,
            ),
        ],
        check_specs=[
            _check(
                TRANSACTIONS,
                "rows_accounted",
                "Rows in = rows kept + duplicates + corrections + rows excluded, for every source.",
            ),
            _check(
                TRANSACTIONS,
                "orders_agree",
                "Few orders have rows that contradict each other: none where the mapping says "
                "`conflicts: stop`; else no more of the money, or of more than a few rows, than "
                "may be in quarantine.",
            ),
            _check(
                TRANSACTIONS,
                "exclusions_share",
                "What is left out though neither the mapping nor the source's own rules say so "
                "(unknown customers, sales below zero, other money) is no more of the rows, or of "
                "the money, than may be in quarantine; most rows are of the mapping's currency.",
            ),
            *contract_checks(Contract.load(TRANSACTIONS)),
        ],
        can_subset=True,
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    @told
    def transactions(
        context: dg.AssetExecutionContext, spark: SparkResource
    ) -> Iterator[dg.MaterializeResult[None]]:
        from customer360.pipeline import audit, load_silver

        work = workspace(context, spark, deployment)
        days = days_of(context)
        loaded = load_silver.load_transactions(work, days)
        astray = audit.rows_astray(work, loaded.days, loaded.accounting)
        astray += audit.money_astray(work, loaded.days, loaded.money)
        mended = [day for day in loaded.days if day not in days]
        made: dg.MaterializeResult[None] = dg.MaterializeResult(
            asset_key=asset_key(TRANSACTIONS),
            metadata=commit_metadata(loaded.written)
            | {
                "earlier_days_mended": day_list(mended),
                "accounting": dg.MetadataValue.md(_accounting_table(loaded)),
            },
            check_results=[
                dg.AssetCheckResult(
                    check_name="rows_accounted",
                    passed=not astray and all(a.missing == 0 for a in loaded.accounting.values()),
                    metadata={f"{n}_missing": a.missing for n, a in loaded.accounting.items()},
                    description="; ".join(astray) or None,
                ),
                _agreement(context, work, loaded),
                _exclusions(work, loaded),
                *contract_results(work, Contract.load(TRANSACTIONS), loaded.days),
            ],
        )
        excluded: dict[str, int] = {}
        for accounting in loaded.accounting.values():
            for reason, rows in accounting.excluded.items():
                excluded[reason] = excluded.get(reason, 0) + rows
        rejected: dg.MaterializeResult[None] = dg.MaterializeResult(
            asset_key=asset_key(REJECTED),
            metadata={
                "dagster/row_count": sum(excluded.values()),
                "reasons": count_table(excluded, "reason"),
            },
        )
        yield from selected(context, [made, rejected])

    @dg.multi_asset(
        name="silver__customer_days",
        specs=[
            table_spec(Contract.load(CUSTOMER_DAYS), partitions=partitions, deps=[TRANSACTIONS])
        ],
        check_specs=contract_checks(Contract.load(CUSTOMER_DAYS)),
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    @told
    def customer_days(
        context: dg.AssetExecutionContext, spark: SparkResource
    ) -> Iterator[dg.MaterializeResult[None]]:
        from customer360.pipeline import load_silver

        work = workspace(context, spark, deployment)
        days = days_of(context)
        written, made = load_silver.load_customer_days(work, days)
        yield dg.MaterializeResult(
            asset_key=asset_key(CUSTOMER_DAYS),
            metadata=commit_metadata(
                written, earlier_days_mended=day_list([day for day in made if day not in days])
            ),
            check_results=contract_results(work, Contract.load(CUSTOMER_DAYS), made),
        )

    return [customers, customer_history, transactions, customer_days]


def _check(table: str, name: str, description: str) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(name, asset=asset_key(table), description=description, blocking=True)


def _agreement(
    context: dg.AssetExecutionContext, work: "Workspace", loaded: "TransactionsLoaded"
) -> dg.AssetCheckResult:
    """The check ``orders_agree``: a warning where a few orders are set aside."""
    from customer360.pipeline import conflicts

    stops, told = False, []
    for source in work.deployment.sources:
        account = loaded.accounting[source.name]
        if account.conflicts:
            told.append(conflicts.explained(work, source, account))
            stops |= conflicts.too_many(source, account, work.deployment.limits)
    if told and not stops:
        context.log.warning(" ".join(told))
    return dg.AssetCheckResult(
        check_name="orders_agree",
        passed=not told,
        severity=dg.AssetCheckSeverity.ERROR if stops else dg.AssetCheckSeverity.WARN,
        metadata={f"{n}_conflicts": a.conflicts for n, a in loaded.accounting.items()},
        description=" ".join(told) or None,
    )


def _exclusions(work: "Workspace", loaded: "TransactionsLoaded") -> dg.AssetCheckResult:
    from customer360.pipeline import other_currencies, refusals

    limits = work.deployment.limits
    told = [
        refusals.exclusions_explained(work, source, loaded.accounting[source.name])
        for source in work.deployment.sources
        if loaded.accounting[source.name].untold.over(limits)
    ]
    foreign = (
        other_currencies.mostly_other(work, source, loaded.accounting[source.name])
        for source in work.deployment.sources
    )
    told += [line for line in foreign if line is not None]
    return dg.AssetCheckResult(
        check_name="exclusions_share",
        passed=not told,
        metadata={f"{n}_money": str(a.untold.money) for n, a in loaded.accounting.items()}
        | {f"{n}_rows": a.untold.rows for n, a in loaded.accounting.items()},
        description=" ".join(told) or None,
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
