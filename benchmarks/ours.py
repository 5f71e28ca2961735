"""Our bronze to gold as a list of named steps, called without Dagster."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import date
from functools import partial

from customer360 import table_names
from customer360.contracts import Contract
from customer360.days import DayRange
from customer360.deployment import Deployment
from customer360.lakehouse.session import spark_session
from customer360.lakehouse.tables import Lakehouse, days_predicate
from customer360.pipeline import audit, load_bronze, load_silver, make_gold
from customer360.pipeline.workspace import Workspace

Steps = dict[str, float]


def workspace(deployment: Deployment) -> Workspace:
    """A workspace of ``deployment``; starts the session when there is none."""
    settings = deployment.settings
    lakehouse = Lakehouse(spark_session(settings), settings.lakehouse_root)
    return Workspace(lakehouse=lakehouse, deployment=deployment, run_id="benchmark")


def load(work: Workspace, days: DayRange, as_of: Sequence[date], *, checks: bool = True) -> Steps:
    """Bronze, silver and gold of ``days``, with gold snapshots of ``as_of``; seconds by step.

    With ``checks``, also the counts behind the asset checks, as a Dagster run makes them.
    """
    took: Steps = {}

    def step(name: str, work_of_it: Callable[[], object], *, is_check: bool = False) -> object:
        if is_check and not checks:
            return None
        begun = time.perf_counter()
        result = work_of_it()
        took[name] = time.perf_counter() - begun
        return result

    def check(table: str, where: str = "true") -> None:
        name = f"check {table.partition('/')[2]}"
        step(name, partial(audit.audit_keys, work, Contract.load(table), where), is_check=True)

    for source in work.deployment.sources:
        for table in source.tables:
            step(f"bronze/{table}", partial(load_bronze.load_bronze, work, source, table, days))
    step(table_names.CUSTOMERS, partial(load_silver.load_customers, work, days))
    check(table_names.CUSTOMERS)
    step(table_names.HISTORY, partial(load_silver.load_customer_history, work, days))
    check(table_names.HISTORY)
    step("check versions", partial(audit.audit_history, work), is_check=True)
    loaded = step(table_names.TRANSACTIONS, partial(load_silver.load_transactions, work, days))
    assert isinstance(loaded, load_silver.TransactionsLoaded)
    check(table_names.TRANSACTIONS, days_predicate("business_date", loaded.days))
    written = step(table_names.CUSTOMER_DAYS, partial(load_silver.load_customer_days, work, days))
    assert isinstance(written, tuple)
    check(table_names.CUSTOMER_DAYS, days_predicate("business_date", written[1]))
    for table in (table_names.FEATURES, table_names.RFM, table_names.COHORTS):
        step(table, partial(make_gold.make_snapshots, work, table, as_of))
        check(table, days_predicate(table_names.AS_OF, as_of))
    made = step(table_names.HEALTH, partial(make_gold.make_business_health, work, days))
    assert isinstance(made, tuple)
    step("check health", partial(audit.revenue_of, work, made[1]), is_check=True)
    return took
