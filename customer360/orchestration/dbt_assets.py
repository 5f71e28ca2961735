"""The warehouse's staging views and marts as assets, each dbt test as a check of its model.

dbt's events are read here and not by dagster-dbt's ``stream()``, which leaves out the results of
unit tests and makes no checks of them (0.29.27: ``DbtCoreCliEventMessage.is_result_event``).
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import dagster as dg

from customer360.deployment import Deployment
from customer360.orchestration.dbt_specs import Manifest, check_specs, model_specs
from customer360.orchestration.failure import failing_in_one_line
from customer360.orchestration.resources import SparkResource
from customer360.orchestration.warehouse_assets import WarehouseResource
from customer360.serving import marts
from customer360.serving.warehouse import Login

DBT_GROUPS = ("staging", "marts")
"""Groups of these assets, which are also the warehouse's schemas."""

Result = dg.MaterializeResult[None] | dg.AssetCheckResult

_RESULTS = ("LogModelResult", "LogTestResult")


def dbt_assets(deployment: Deployment) -> list[dg.AssetsDefinition]:
    """Assets of all models of the dbt project, made together by ``dbt build``.

    They have no partitions, as the tables that they are made from have none. Loading them needs no
    warehouse; the first time, dbt parses the project, which takes seconds.

    Raises:
        MartsError: The project does not parse.
    """
    manifest = marts.manifest()
    specs = model_specs(manifest)
    checks = dict(check_specs(manifest, specs))

    @dg.multi_asset(
        name="dbt",
        specs=list(specs.values()),
        check_specs=list(checks.values()),
        can_subset=True,
    )
    @failing_in_one_line
    def build(
        context: dg.AssetExecutionContext,
        spark: SparkResource,  # only for the home that it holds: no session starts
        warehouse: dg.ResourceParam[WarehouseResource],
    ) -> Iterator[Result]:
        settings = deployment.settings
        owner = warehouse.open().owner
        everything = set(context.selected_asset_keys) == {spec.key for spec in specs.values()}
        selection = [] if everything else _selection(context, manifest, specs, checks)
        events = marts.run_dbt(settings, owner, [*marts.build_arguments(owner), *selection])
        yield from _results(context, owner, events, specs, checks)
        failed = [failure for failure in marts.failures(settings) if not failure.is_test]
        if failed:
            raise marts.MartsError(marts.described(failed))

    return [build]


def _selection(
    context: dg.AssetExecutionContext,
    manifest: Manifest,
    specs: Mapping[str, dg.AssetSpec],
    checks: Mapping[str, dg.AssetCheckSpec],
) -> list[str]:
    """Arguments that build the selected models and run the selected tests, and no other."""
    wanted = [name for name, spec in specs.items() if spec.key in context.selected_asset_keys]
    wanted += [name for name, spec in checks.items() if _is_selected(context, spec)]
    props = manifest["nodes"] | manifest["unit_tests"]
    names = [".".join(props[name]["fqn"]) for name in wanted]
    return ["--indirect-selection", "empty", "--select", *names]


def _is_selected(context: dg.AssetExecutionContext, spec: dg.AssetCheckSpec) -> bool:
    return any(
        key.name == spec.name and key.asset_key == spec.asset_key
        for key in context.selected_asset_check_keys
    )


def _results(
    context: dg.AssetExecutionContext,
    owner: Login,
    events: Iterable[Mapping[str, Any]],
    specs: Mapping[str, dg.AssetSpec],
    checks: Mapping[str, dg.AssetCheckSpec],
) -> Iterator[Result]:
    """What dbt tells while it works, as Dagster's results.

    A unit test comes before its model, but a check is of something made: its result waits.
    """
    waiting: dict[dg.AssetKey, list[dg.AssetCheckResult]] = defaultdict(list)
    made: set[dg.AssetKey] = set()
    for event in events:
        kind, level, message = (event["info"][name] for name in ("name", "level", "msg"))
        if level in ("warn", "error"):
            context.log.warning("%s", message.strip())
        elif kind in _RESULTS:
            context.log.info("%s", message.strip())
        if kind not in _RESULTS:
            continue
        data = event["data"]
        name = data["node_info"]["unique_id"]
        if name in specs and data["node_info"]["node_status"] == "success":
            key = specs[name].key
            made.add(key)
            yield dg.MaterializeResult(asset_key=key, metadata=_model_metadata(owner, key, data))
            yield from waiting.pop(key, ())
        elif name in checks and _is_selected(context, checks[name]):
            result = _check_result(checks[name], data)
            if result.asset_key in made:
                yield result
            else:
                waiting[checks[name].asset_key].append(result)
    for results in waiting.values():
        yield from results


def _model_metadata(owner: Login, key: dg.AssetKey, data: Mapping[str, Any]) -> dict[str, Any]:
    figures: dict[str, Any] = {"seconds": round(data["execution_time"], 2)}
    if key.path[0] == marts.MARTS:
        figures["dagster/row_count"] = marts.row_count(owner, key.path[1])
    return figures


def _check_result(spec: dg.AssetCheckSpec, data: Mapping[str, Any]) -> dg.AssetCheckResult:
    status, rows = data["status"], data["num_failures"]
    outcome = f"{rows} rows break it" if status in ("fail", "warn") else f"{status}, see the log"
    return dg.AssetCheckResult(
        asset_key=spec.asset_key,
        check_name=spec.name,
        passed=status == "pass",
        severity=dg.AssetCheckSeverity.WARN if status == "warn" else dg.AssetCheckSeverity.ERROR,
        description=None if status == "pass" else f"dbt test {spec.name}: {outcome}",
        metadata={"rows": rows},
    )
