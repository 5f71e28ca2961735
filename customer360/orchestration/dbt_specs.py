"""What the models and tests of the dbt project are in Dagster, from dbt's manifest.

As dagster-dbt would say it, which a test compares. It is not asked here, because importing it
imports dbt: a second and a half of every load of the definitions, for a manifest that is parsed
already.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg

Manifest = Mapping[str, Any]


def model_specs(manifest: Manifest) -> dict[str, dg.AssetSpec]:
    """The asset of each model, by the model's id.

    A model is ``schema/name``. The project's sources are the assets that publish them:
    ``warehouse/schema/table``.
    """
    return {
        name: _model_spec(manifest, name)
        for name, props in manifest["nodes"].items()
        if props["resource_type"] == "model"
    }


def check_specs(
    manifest: Manifest, specs: Mapping[str, dg.AssetSpec]
) -> Iterator[tuple[str, dg.AssetCheckSpec]]:
    """The check of each test of the models in ``specs``, by the test's id."""
    for model, spec in specs.items():
        for child in manifest["child_map"][model]:
            if child.startswith("test."):
                check = _test_spec(manifest, child)
                # Of a test that reads several models, one is the model it is of.
                if check.asset_key == spec.key:
                    yield child, check
            elif child.startswith("unit_test."):
                props = manifest["unit_tests"][child]
                # Other models it reads have it as a child too.
                if props["model"] == manifest["nodes"][model]["name"]:
                    yield (
                        child,
                        dg.AssetCheckSpec(
                            props["name"],
                            asset=spec.key,
                            description=props["description"],
                            blocking=True,
                        ),
                    )


def _key(manifest: Manifest, name: str) -> dg.AssetKey:
    if name in manifest["sources"]:
        props = manifest["sources"][name]
        return dg.AssetKey(["warehouse", props["source_name"], props["name"]])
    props = manifest["nodes"][name]
    return dg.AssetKey([props["schema"], props["name"]])


def _read_by(manifest: Manifest, name: str) -> list[str]:
    """Ids of the models and sources that a model or test reads."""
    return [
        parent
        for parent in manifest["parent_map"][name]
        if parent.startswith(("model.", "source."))
    ]


def _model_spec(manifest: Manifest, name: str) -> dg.AssetSpec:
    props = manifest["nodes"][name]
    owner = props["config"].get("meta", {}).get("owner")
    columns = [
        dg.TableColumn(
            name=column, type=stated.get("data_type") or "?", description=stated["description"]
        )
        for column, stated in props["columns"].items()
    ]
    return dg.AssetSpec(
        key=_key(manifest, name),
        deps=[_key(manifest, parent) for parent in _read_by(manifest, name)],
        group_name=props["schema"],
        owners=[f"team:{owner}"] if owner else [],
        kinds={"dbt", manifest["metadata"]["adapter_type"]},
        tags={"layer": props["schema"], "personal_data": "no"},
        description=props["description"],
        code_version=props["checksum"]["checksum"],
        skippable=True,
        metadata={
            # Without the database, which is the deployment's affair.
            "dagster/table_name": f"{props['schema']}.{props['name']}",
            "dagster/column_schema": dg.TableSchema(columns=columns),
            "materialization_type": props["config"]["materialized"],
        },
    )


def _test_spec(manifest: Manifest, name: str) -> dg.AssetCheckSpec:
    props = manifest["nodes"][name]
    asset = _key(manifest, props["attached_node"])
    read = {_key(manifest, parent) for parent in _read_by(manifest, name)} - {asset}
    return dg.AssetCheckSpec(
        props["name"],
        asset=asset,
        additional_deps=sorted(read),
        blocking=props["config"]["severity"].lower() == "error",
    )
