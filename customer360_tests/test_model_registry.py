"""A model is one declaration: another one needs no other place, and no other place lists them."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession
from rich.console import Console

from customer360 import summary
from customer360.contracts import Contract
from customer360.deployment import Deployment
from customer360.lakehouse.tables import Lakehouse
from customer360.models.explanation import ScoredCustomer
from customer360.models.notes import in_english
from customer360.models.registry import MODELS, models_by_title
from customer360.models.spec import ModelSpec
from customer360.pipeline import evaluate, monitor, run_models
from customer360.pipeline.make_gold import make_snapshots
from customer360.pipeline.workspace import Workspace
from customer360.settings import load_settings
from customer360.table_names import CHURN_SCORES, CUSTOMER_DAYS, FEATURES
from customer360_tests.deployments import PROJECT
from customer360_tests.gold.frames import bought, customer_days
from customer360_tests.models.toy import TOY, ToySpec
from customer360_tests.stored import put

PACKAGE = PROJECT / "customer360"
AS_OF = date(2024, 3, 31)
ANN = "a" * 64

A_COLUMN = {"exploration/aggregates.py"}
"""Modules that read one model's features and have a column called as another model."""


@pytest.fixture
def work(spark: SparkSession, tmp_path: Path) -> Workspace:
    """Three customers, of whom two bought once, and their features."""
    deployment = Deployment.of(load_settings(tmp_path))
    work = Workspace(Lakehouse(spark, tmp_path / "lakehouse"), deployment, "test")
    days = [
        (ANN, "2024-01-05"),
        (ANN, "2024-02-05"),
        ("b" * 64, "2024-03-01"),
        ("c" * 64, "2024-03-02"),
    ]
    rows = [bought(customer, day, 10) for customer, day in days]
    put(work.lakehouse, CUSTOMER_DAYS, customer_days(spark, rows))
    make_snapshots(work, FEATURES, [AS_OF])
    return work


def test_another_model_is_trained_judged_scored_explained_and_watched_by_its_declaration(
    work: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A table with a contract that its rows keep; the next test has one of its own.
    monkeypatch.setattr(ToySpec, "scores", CHURN_SCORES)
    settings = work.deployment.settings

    judged = evaluate.evaluate(work, TOY, AS_OF)
    assert judged.definition == "who comes back, as of 2024-03-31"
    assert list(judged.shown["probabilities"]["model"]) == ["model", "nobody"]

    training, logged = run_models.train(work, TOY, AS_OF)
    assert training.model.share == pytest.approx(2 / 3)
    assert (logged.model_name, logged.version) == ("customer360_one_time_buyers", "1")
    assert in_english([logged.verdict.reason]) == (
        "first model: Brier score 0.2222, which no naive rule beats beyond the interval"
    )
    assert "# one-time-buyers v1" in logged.card
    assert "of the 3 has bought on one day only" in logged.card
    champion = run_models.champion_of(TOY, settings)
    assert champion.model == training.model
    assert champion.schema is not None
    assert champion.schema.columns == (("frequency", "int"),)

    scored = run_models.score(work, TOY, [AS_OF])
    assert (scored.model_version, scored.written.rows) == ("1", 3)
    (row,) = work.lakehouse.read(CHURN_SCORES).where(f"customer_key = '{ANN}'").collect()
    # Of more customers every core takes part, and the rows are the same.
    with monkeypatch.context() as many:
        many.setattr(run_models, "SPREAD_FROM", 3)
        assert run_models.score(work, TOY, [AS_OF]).written.rows == 3
    assert work.lakehouse.read(CHURN_SCORES).where(f"customer_key = '{ANN}'").collect() == [row]
    about = ScoredCustomer(row.asDict(), lambda _: None, lambda: champion)
    said = TOY.explain(about)
    assert said is not None
    assert said.headline == "67% buy once"

    monkeypatch.setattr(monitor, "models_by_title", lambda: {TOY.title: TOY})
    drift = monitor.make_model_drift(work, [AS_OF])
    assert {(each.model, each.feature, each.psi) for each in drift.rows.itertuples()} == {
        ("one_time_buyers", "frequency", 0.0),
        ("one_time_buyers", "churn_probability", 0.0),
    }

    console = Console(width=200)
    with console.capture() as shown:
        console.print(summary.model_table(run_models.tracking_of(settings), [TOY]))
    assert re.search(r"one time buyers v1 .* Brier score .* 0\.222 .* nobody 0\.667", shown.get())


def test_another_model_is_in_the_lineage_the_jobs_and_the_commands(tmp_path: Path) -> None:
    """Registered before the rest is loaded, as a line of the registry is."""
    own = (PACKAGE / "contracts/gold/churn_scores.odcs.yaml").read_text(encoding="utf-8")
    (tmp_path / "toy.yaml").write_text(own.replace("churn_scores", "one_time_buyers"))
    code = f"""
import json, sys
from customer360.models import registry
from customer360_tests.models.toy import TOY
registry.MODELS += (TOY,)

from customer360.contracts import Contract
load = Contract.load
own = Contract.from_path({str(tmp_path / "toy.yaml")!r})
Contract.load = classmethod(lambda cls, table: own if table == TOY.scores else load(table))

from customer360.cli.models import ModelName
from customer360.orchestration.build import build_definitions
from customer360.orchestration.jobs import JOBS
from customer360.settings import load_settings
definitions = build_definitions(load_settings({str(tmp_path)!r}))
graph = definitions.resolve_asset_graph()
specs = {{spec.key.to_user_string(): spec for spec in definitions.resolve_all_asset_specs()}}
heavy = {{"mlflow", "pandas", "pyspark", "sklearn", "xgboost"}}
print(json.dumps({{
    "commands": list(ModelName),
    "jobs": {{
        name: sorted(key.to_user_string() for key in job.selection.resolve(graph))
        for name, job in JOBS.items()
    }},
    "upstream": {{
        name: sorted(dep.asset_key.to_user_string() for dep in spec.deps)
        for name, spec in specs.items()
    }},
    "checks": sorted(
        f"{{key.asset_key.to_user_string()}}:{{key.name}}" for key in graph.asset_check_keys
    ),
    "heavy": sorted(heavy & {{name.partition(".")[0] for name in sys.modules}}),
}}))
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["commands"] == sorted([*models_by_title(), "one-time-buyers"])
    model, scores = "models/one_time_buyers", "gold/one_time_buyers"
    assert said["upstream"][model] == ["silver/customer_days"]
    assert said["upstream"][scores] == ["gold/customer_features", model]
    for reader in ("gold/model_drift", "gold/model_performance"):
        assert scores in said["upstream"][reader]
    for reader in ("warehouse/serving/models", "warehouse/serving/model_figures"):
        assert model in said["upstream"][reader]
    assert {name for name, keys in said["jobs"].items() if model in keys} == {
        "gold",
        "retrain",
        "train",
    }
    assert {name for name, keys in said["jobs"].items() if scores in keys} == {
        "gold",
        "train",
        "score",
    }
    # The table has the checks of every table in gold, the model those that it declares.
    assert [each for each in said["checks"] if each.startswith(model)] == [f"{model}:promoted"]
    assert f"{scores}:keys_unique" in said["checks"]
    assert said["heavy"] == []


@pytest.mark.parametrize("title", models_by_title())
def test_a_declaration_says_all_that_is_asked_of_it(title: str) -> None:
    spec = models_by_title()[title]
    for fact in (spec.description, spec.kinds, spec.purpose, spec.target, spec.limits):
        assert fact
    columns = set(Contract.load(spec.scores).column_names)
    assert {"as_of", "customer_key", "model_name", "model_version"} <= columns
    assert {*spec.watched, *spec.judged} <= columns
    assert spec.judged_days is not None or "horizon_days" in columns
    known = {name for table in spec.scored_from for name in Contract.load(table).column_names}
    assert set(spec.features) <= known
    assert spec.figures
    assert spec.compared
    assert spec.naive_rules


def _named(path: Path) -> set[str]:
    """Models that a module names: in a text, by importing what is theirs, in a function's name."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {
        spec.name
        for spec in MODELS
        for node in ast.walk(tree)
        if (isinstance(node, ast.Constant) and node.value in _names_of(spec))
        or any(f"{name}.".startswith(f"customer360.models.{spec.name}.") for name in _imports(node))
        or (isinstance(node, ast.FunctionDef) and re.search(rf"(^|_){spec.name}(_|$)", node.name))
    }


def _names_of(spec: ModelSpec[Any]) -> tuple[str, ...]:
    return (spec.name, spec.title, spec.label, spec.registered, spec.asset)


def _imports(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        return [f"{node.module}.{alias.name}" for alias in node.names]
    return []


def test_no_module_outside_the_registry_lists_the_models() -> None:
    own = tuple(f"models/{spec.name}/" for spec in MODELS)
    guilty = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE).as_posix()
        if not name.startswith(own) and name != "models/registry.py":
            named = _named(path)
            if len(named) > 1:
                guilty[name] = sorted(named)
    assert set(guilty) == A_COLUMN, guilty
