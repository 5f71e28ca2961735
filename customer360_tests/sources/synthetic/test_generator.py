"""The files a generated data set consists of, and the truth about them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from customer360.sources.synthetic import (
    Behaviour,
    DefectRates,
    SyntheticDataError,
    Truth,
    generate,
    generator,
)
from customer360.sources.synthetic.damage import broken, deliver, mojibake
from customer360.sources.synthetic.defects import (
    CUSTOMER_DEFECTS,
    TRANSACTION_DEFECTS,
    DefectRateError,
)
from customer360.sources.synthetic.orders import ROW
from customer360_tests.sources.synthetic.conftest import read_part

SMALL: dict[str, Any] = {
    "customers": 60,
    "start": date(2024, 1, 1),
    "end": date(2024, 2, 9),
    "seed": 3,
}
PARTS = {"transactions": TRANSACTION_DEFECTS, "customers": CUSTOMER_DEFECTS}


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in sorted(folder.rglob("*"))
        if file.is_file() and file.name != ".lock"
    }


# The same input, the same output -----------------------------------------------------------


def test_same_arguments_make_the_same_bytes(tmp_path):
    generate(tmp_path / "a", **SMALL)
    generate(tmp_path / "b", **SMALL)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_threads_and_buckets_do_not_show_in_the_content(tmp_path, monkeypatch):
    generate(tmp_path / "a", **SMALL)
    monkeypatch.setattr(generator, "_WORKERS", 1)
    monkeypatch.setattr(generator, "_BUCKET", 7)
    generate(tmp_path / "b", **SMALL)
    for part in ("transactions", "customers"):
        pd.testing.assert_frame_equal(
            read_part(tmp_path / "a", part), read_part(tmp_path / "b", part)
        )


def test_another_seed_makes_other_data(tmp_path):
    generate(tmp_path / "a", **SMALL)
    generate(tmp_path / "b", **(SMALL | {"seed": 4}))
    for part, column in (("transactions", "amount"), ("customers", "name")):
        ours, theirs = read_part(tmp_path / "a", part), read_part(tmp_path / "b", part)
        assert ours[column].head(20).tolist() != theirs[column].head(20).tolist()


def test_a_second_run_makes_nothing_and_says_so(tmp_path, caplog):
    first = generate(tmp_path, **SMALL)
    before = {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*.parquet")}
    with caplog.at_level("INFO"):
        second = generate(tmp_path, **SMALL)
    assert not first.reused
    assert second.reused
    assert second.counts == first.counts
    assert "already holds this data set" in caplog.text
    assert {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*.parquet")} == before


def test_other_arguments_need_overwrite(tmp_path):
    generate(tmp_path, **SMALL)
    other = SMALL | {"seed": 9, "defects": DefectRates(late=0.5), "end": date(2024, 1, 20)}
    with pytest.raises(SyntheticDataError) as error:
        generate(tmp_path, **other)
    assert str(error.value) == (
        f"{tmp_path}: holds a data set with end 2024-02-09 (asked for 2024-01-20), "
        "seed 3 (asked for 9), defects.late 0.01 (asked for 0.5); "
        "pass overwrite to replace it or choose another folder"
    )
    made = generate(tmp_path, **other, overwrite=True)
    assert made.seed == 9
    # Days of the data set before are gone, not mixed in.
    assert len(list((tmp_path / "transactions").iterdir())) == 20


def test_a_killed_run_never_looks_complete_and_can_be_run_again(tmp_path):
    script = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from datetime import date\n"
        "from customer360.sources.synthetic import generate\n"
        f"arguments = {SMALL!r}\n".replace("datetime.date", "date")
        + "stop = lambda done, total: os._exit(9) if done == total - 1 else None\n"
        "generate(Path(sys.argv[1]), **arguments, progress=stop)\n"
    )
    killed = tmp_path / "killed"
    ended = subprocess.run([sys.executable, "-c", script, str(killed)], check=False)
    assert ended.returncode == 9
    with pytest.raises(SyntheticDataError, match="no complete synthetic data set here"):
        Truth(killed)
    generate(killed, **SMALL)
    generate(tmp_path / "whole", **SMALL)
    assert contents(killed) == contents(tmp_path / "whole")


def test_a_run_killed_while_replacing_leaves_no_mixture(tmp_path, monkeypatch):
    generate(tmp_path, **SMALL)
    moved = Path.rename

    def fails_at_customers(self, target):
        if self.name == "customers":
            raise OSError(5, "Input/output error")
        return moved(self, target)

    monkeypatch.setattr(Path, "rename", fails_at_customers)
    with pytest.raises(SyntheticDataError, match="cannot generate here: Input/output error"):
        generate(tmp_path, **(SMALL | {"seed": 8}), overwrite=True)
    monkeypatch.undo()
    with pytest.raises(SyntheticDataError, match="no complete"):
        Truth(tmp_path)
    assert not generate(tmp_path, **SMALL).reused
    generate(tmp_path.with_name("fresh"), **SMALL)
    assert contents(tmp_path) == contents(tmp_path.with_name("fresh"))


def test_two_runs_at_once_do_not_spoil_each_other(tmp_path):
    def second(done, total):
        with pytest.raises(SyntheticDataError, match="another run is generating here"):
            generate(tmp_path, **SMALL)

    generate(tmp_path, **SMALL, progress=second)
    assert Truth(tmp_path).manifest.seed == 3


def test_folders_of_somebody_else_are_left_alone(tmp_path):
    own = tmp_path / "transactions" / "mine.csv"
    own.parent.mkdir()
    own.write_text("precious")
    with pytest.raises(SyntheticDataError, match="holds transactions/ that no generator made"):
        generate(tmp_path, **SMALL, overwrite=True)
    assert own.read_text() == "precious"


def test_an_unreadable_manifest_is_named(tmp_path):
    generate(tmp_path, **SMALL)
    (tmp_path / "truth" / "manifest.json").write_text("{}")
    with pytest.raises(SyntheticDataError, match=r"manifest.json: not a manifest"):
        generate(tmp_path, **SMALL)
    assert not generate(tmp_path, **SMALL, overwrite=True).reused


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"customers": 0}, "generate: customers is 0, must be 1 to 89,999,999"),
        ({"seed": -1}, "generate: seed is -1, must be 0 or more"),
        ({"end": date(2023, 12, 31)}, "generate: 2024-01-01 to 2023-12-31 is 0 days"),
    ],
)
def test_arguments_out_of_range_are_refused(tmp_path, change, message):
    with pytest.raises(SyntheticDataError, match=message):
        generate(tmp_path, **(SMALL | change))
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(SyntheticDataError, match="cannot generate here: Permission denied"):
        generate(tmp_path / "data", **SMALL)


def test_a_file_in_the_way_is_named(tmp_path):
    (tmp_path / "data").write_text("")
    with pytest.raises(SyntheticDataError, match="cannot generate here: File exists"):
        generate(tmp_path / "data", **SMALL)


def test_progress_reaches_its_total(tmp_path):
    seen = []
    generate(tmp_path, **SMALL, progress=lambda done, total: seen.append((done, total)))
    assert [done for done, _ in seen] == list(range(1, len(seen) + 1))
    assert {total for _, total in seen} == {len(seen)}


def test_one_customer_on_one_day_is_a_data_set(tmp_path):
    made = generate(tmp_path, customers=1, start=date(2024, 2, 29), end=date(2024, 2, 29), seed=0)
    assert made.counts["customers"] == 1
    assert [p.name for p in (tmp_path / "customers").iterdir()] == ["date=2024-02-29"]


# The files -----------------------------------------------------------------------------------


def test_every_day_has_one_file_of_text_columns(data_set):
    import pyarrow.parquet as pq

    for part in PARTS:
        folders = sorted(folder.name for folder in (data_set / part).iterdir())
        assert folders[0] == "date=2024-01-01"
        assert folders[-1] == "date=2024-06-30"
        assert len(folders) == 182
        for file in (data_set / part).glob("*/*"):
            assert {str(field.type) for field in pq.read_schema(file)} == {"string"}


def test_rows_stand_in_the_file_of_their_day_unless_late(data_set, truth):
    rows = read_part(data_set, "transactions")
    late = truth.rows().to_pandas().query("table == 'transactions' and column != 'occurred_at'")
    late = late[late.defect.isin(["late", "duplicate_later"])]
    own = rows.merge(late[["file", "row"]], on=["file", "row"], how="left", indicator=True)
    readable = own.occurred_at.str.fullmatch(r"2024-\d\d-\d\d \d\d:\d\d:\d\d")
    on_time = own[(own._merge == "left_only") & readable]
    # A day like 2024-02-30 is a defect, not a delivery.
    real = pd.to_datetime(on_time.occurred_at, errors="coerce").notna()
    on_time = on_time[real]
    assert (on_time.file.str[18:28] == on_time.occurred_at.str[:10]).all()


def test_refunds_come_after_their_order_and_never_exceed_it(clean):
    rows = read_part(clean, "transactions")
    rows["cents"] = (rows.amount.astype(float) * 100).round()
    sales, refunds = rows[rows.kind == "sale"], rows[rows.kind == "refund"]
    pairs = refunds.merge(sales, left_on="related_order_id", right_on="order_id")
    assert len(pairs) == len(refunds) > 50
    assert (pairs.customer_id_x == pairs.customer_id_y).all()
    assert (pairs.cents_x <= pairs.cents_y).all()
    assert (pairs.occurred_at_x.str[:10] > pairs.occurred_at_y.str[:10]).all()
    assert sales.related_order_id.isna().all()
    assert rows.order_id.is_unique


def test_profiles_change_over_time_and_keep_what_does_not_change(clean):
    rows = read_part(clean, "customers").sort_values(["customer_id", "updated_at"])
    for steady in ("name", "birth_date", "tax_id", "country", "signed_up_on"):
        assert (rows.groupby("customer_id")[steady].nunique(dropna=False) == 1).all(), steady
    for changing in ("city", "email", "phone", "marketing_consent", "loyalty_tier", "address"):
        assert (rows.groupby("customer_id")[changing].nunique() > 1).any(), changing
    assert not rows.duplicated(["customer_id", "updated_at"]).any()
    first = rows.drop_duplicates("customer_id")
    assert (first.signed_up_on == first.updated_at.str[:10]).all()
    assert (first.loyalty_tier == "basic").all()
    assert (rows.city + rows.state).nunique() == rows.city.nunique()  # a city has one state
    assert set(rows.country) == {"US", "BR", "ES", "DE", "FR"}


def test_tiers_are_earned_by_orders(clean):
    sales = read_part(clean, "transactions").query("kind == 'sale'")
    orders = sales.groupby("customer_id").size()
    tiers = read_part(clean, "customers").sort_values("updated_at")
    last = tiers.groupby("customer_id").loyalty_tier.last()
    earned = pd.cut(
        orders.reindex(last.index, fill_value=0), [-1, 2, 7, 19, 10_000],
        labels=["basic", "silver", "gold", "platinum"],
    )  # fmt: skip
    assert (earned.astype(str) == last).all()


# The truth -----------------------------------------------------------------------------------


def test_the_truth_explains_every_difference_to_clean_data(data_set, truth, clean):
    """Undo what the truth says was done, and exactly the data without defects is left."""
    known = truth.rows().to_pandas()
    for part, key in (("transactions", ["order_id"]), ("customers", ["customer_id", "updated_at"])):
        rows = read_part(data_set, part).set_index(["file", "row"])
        mine = known[known.table == part].set_index(["file", "row"])
        assert mine.index.isin(rows.index).all()
        damaged = mine[mine.column.notna()]
        for column, group in damaged.groupby("column"):
            # What was damaged differs from what it was, in every case.
            assert (rows.loc[group.index, column] != group.clean_value).all(), column
            rows.loc[group.index, column] = group.clean_value
        rows = rows.drop(mine.index[mine.effect == "duplicate"])
        wanted = read_part(clean, part).drop(columns=["file", "row"])
        pd.testing.assert_frame_equal(
            rows.sort_values(key).reset_index(drop=True),
            wanted.sort_values(key).reset_index(drop=True),
        )


def test_row_ids_event_times_and_deliveries_of_the_truth_are_those_of_the_rows(data_set, truth):
    known = truth.rows().to_pandas()
    for part, column, when in (
        ("transactions", "order_id", "occurred_at"),
        ("customers", "customer_id", "updated_at"),
    ):
        pairs = known[known.table == part].merge(
            read_part(data_set, part), on=["file", "row"], how="left"
        )
        own = pairs[pairs["column"] != column]
        assert (own.row_id == own[column]).all()
        told = pairs[pairs["column"] != when]
        assert (told.event_at.dt.strftime("%Y-%m-%d %H:%M:%S") == told[when]).all()
        assert (pairs.file.str.extract(r"date=([\d-]+)")[0] == pairs.delivered_on.astype(str)).all()


def test_duplicates_have_their_originals(data_set, truth):
    known = truth.rows().to_pandas()
    for part in PARTS:
        rows = read_part(data_set, part)
        copies = known[(known.table == part) & (known.effect == "duplicate")]
        pairs = copies[["file", "row", "defect"]].merge(rows, on=["file", "row"])
        columns = [c for c in rows.columns if c not in ("file", "row")]
        others = rows.merge(pairs[["file", "row"]], on=["file", "row"], how="left", indicator=True)
        originals = others[others._merge == "left_only"].drop(columns=["_merge", "row"])
        found = pairs.merge(originals, on=columns, how="left", suffixes=("", "_original"))
        assert len(found) == len(pairs) > 5
        same_day = found.defect.str.endswith("same_day")
        assert (found.file == found.file_original)[same_day].all()
        assert (found.file > found.file_original)[~same_day].all()


def test_late_rows_come_one_to_five_days_late(truth):
    late = truth.rows().to_pandas().query("effect == 'late'")
    days = pd.to_datetime(late.delivered_on) - late.event_at.dt.tz_localize(None).dt.normalize()
    assert set(days.dt.days) == {1, 2, 3, 4, 5}


def test_defects_happen_at_their_rates(truth):
    """Each count is binomial: within five standard deviations of its mean."""
    manifest = truth.manifest
    happened = {
        "transactions": manifest.counts["orders"] + manifest.counts["refunds"],
        "customers": manifest.counts["profile_versions"],
    }
    listed = truth.rows().to_pandas().groupby(["table", "defect"]).size()
    for part, defects in PARTS.items():
        n = happened[part]
        for defect in defects:
            rate, count = getattr(manifest.defects, defect.name), manifest.counts[defect.name]
            assert count == listed[part, defect.name]
            # Rows of the last days have fewer days to be late in; of 182 that is little.
            spread = 5 * np.sqrt(n * rate * (1 - rate)) + 0.015 * n * rate
            assert abs(count - n * rate) <= spread, defect.name
    copies = sum(manifest.counts[f"duplicate_{when}"] for when in ("same_day", "later"))
    assert manifest.counts["transactions"] == happened["transactions"] + copies


def test_about_one_percent_is_quarantined_by_default():
    rates = DefectRates()
    broken_share = sum(
        getattr(rates, d.name) for d in TRANSACTION_DEFECTS if d.effect == "quarantined"
    )
    assert broken_share == pytest.approx(0.01)


def test_the_truth_about_customers_is_what_they_did(clean):
    people = Truth(clean).customers().to_pandas().set_index("customer_id")
    assert len(people) == 1_500
    sales = read_part(clean, "transactions").query("kind == 'sale'")
    times = pd.to_datetime(sales.occurred_at, utc=True).groupby(sales.customer_id)
    buyers = people[people.orders > 0]
    assert (times.size() == buyers.orders).all()
    assert (times.min() == buyers.first_purchase_at).all()
    assert (times.max() == buyers.last_purchase_at).all()
    dead = people[people.died_at.notna()]
    assert (dead.died_at == dead.last_purchase_at).all()
    assert people[people.orders == 0].first_purchase_at.isna().all()
    assert (buyers.frequency == buyers.orders - 1).all()
    assert (buyers.recency <= buyers["T"]).all()
    # Values lie about the customer's own mean: Gamma(p) has a variation of 1 / sqrt(p).
    mean = sales.amount.astype(float).groupby(sales.customer_id).mean()
    scaled = (mean / buyers.mean_order_value - 1) * np.sqrt(buyers.orders * 6.25)
    assert abs(scaled.mean()) < 5 / np.sqrt(len(scaled))
    assert scaled.std() == pytest.approx(1, abs=0.1)


def test_shop_time_is_kept(truth):
    clock = truth.shop_time().to_pandas()
    assert len(clock) == 182
    assert clock.weight.mean() == pytest.approx(1)
    assert clock.elapsed.iloc[1] == pytest.approx(clock.weight.iloc[0])


def test_the_manifest_has_all_that_was_asked_for(data_set, truth):
    plain = json.loads((data_set / "truth" / "manifest.json").read_text())
    assert plain["seed"] == 7
    assert plain["start"] == "2024-01-01"
    assert plain["defects"]["late"] == pytest.approx(0.06)
    assert plain["behaviour"]["alpha"] == Behaviour().alpha
    # A cohort's own, exact parameters: slower and sooner gone than the shop's average.
    social = plain["parameters_by_cohort"]["social"]
    assert social["alpha"] == pytest.approx(Behaviour().alpha / 0.75)
    assert social["a"] == pytest.approx(Behaviour().a * 1.6)
    assert set(plain["made_with"]) == {"faker", "numpy", "pyarrow"}
    assert truth.manifest.arguments() == {name: plain[name] for name in truth.manifest.arguments()}


# Rates and damage ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rates", "message"),
    [
        ({"late": -0.1}, "defects: late is -0.1, must be 0 to 1"),
        ({"late": 0.6, "bad_date": 0.6}, "the rates of transactions add up to"),
        ({"max_days_late": 0}, "defects: max_days_late is 0, must be 1 to 60"),
    ],
)
def test_impossible_rates_are_refused(rates, message):
    with pytest.raises(DefectRateError, match=message):
        DefectRates(**rates)


@pytest.mark.parametrize("defect", TRANSACTION_DEFECTS + CUSTOMER_DEFECTS, ids=lambda d: d.name)
def test_each_rate_is_settable_by_itself(tmp_path, defect):
    made = generate(tmp_path, **SMALL, defects=DefectRates.none(**{defect.name: 0.5}))
    every = (*TRANSACTION_DEFECTS, *CUSTOMER_DEFECTS)
    assert {d.name for d in every if made.counts[d.name]} == {defect.name}
    assert set(Truth(tmp_path).rows()["effect"].to_pylist()) == {defect.effect}


def test_rows_of_the_last_day_are_neither_late_nor_copied_to_later():
    rows = np.zeros(1_000, dtype=ROW)
    rows["delivered"] = 9
    rates = DefectRates.none(late=0.5, duplicate_later=0.5)
    out = deliver(np.random.default_rng(0), rows, 10, rates, TRANSACTION_DEFECTS)
    assert len(out) == 1_000
    assert (out["delivered"] == 9).all()
    assert (out["defect"] == 0).all()


def test_mojibake_is_utf8_read_as_latin_1():
    assert mojibake("João") == "JoÃ£o"
    assert mojibake("Müller") == "MÃ¼ller"
    assert mojibake("Smith") is None
    assert mojibake("École") is None  # É would become a control character: not repairable


@pytest.mark.parametrize("variant", range(4))
def test_broken_text_holds_a_character_the_contract_forbids(variant):
    assert any(c in broken("Electronics", variant) for c in "\ufffd\x07\x1b")
