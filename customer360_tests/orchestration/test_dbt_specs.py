"""The dbt project in Dagster is what dagster-dbt makes of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dagster as dg

from customer360.orchestration.dbt_specs import check_specs, model_specs
from customer360.serving import marts


def test_models_and_tests_are_what_dagster_dbt_would_say() -> None:
    from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings

    class Named(DagsterDbtTranslator):
        """Our names of things; all else is dagster-dbt's."""

        def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> dg.AssetKey:
            name = dbt_resource_props["name"]
            if dbt_resource_props["resource_type"] == "source":
                return dg.AssetKey(["warehouse", dbt_resource_props["source_name"], name])
            return dg.AssetKey([dbt_resource_props["schema"], name])

    manifest = marts.manifest()
    theirs = Named(DagsterDbtTranslatorSettings(enable_source_metadata=False))
    ours = model_specs(manifest)
    assert set(ours) == {name for name in manifest["nodes"] if name.startswith("model.")}
    for name, spec in ours.items():
        expected = theirs.get_asset_spec(manifest, name, None)
        for what in ("key", "kinds", "skippable"):
            assert getattr(spec, what) == getattr(expected, what), (name, what)
        assert {dep.asset_key for dep in spec.deps} == {dep.asset_key for dep in expected.deps}
        columns = "dagster/column_schema"
        assert spec.metadata[columns] == expected.metadata[columns]

    checks = dict(check_specs(manifest, ours))
    generic = {name for name in manifest["nodes"] if name.startswith("test.")}
    assert set(checks) == generic | set(manifest["unit_tests"])
    for name in generic:
        model = ours[manifest["nodes"][name]["attached_node"]]
        wanted = theirs.get_asset_check_spec(model, manifest, name, None)
        assert wanted is not None
        assert checks[name] == wanted.with_metadata({})  # theirs says where it is in the manifest
