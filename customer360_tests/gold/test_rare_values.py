"""Values of few customers are grouped, and no row is lost."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import DataFrame, SparkSession

from customer360.gold.rare_values import OTHER, common_values, told_by


def people(spark: SparkSession, *rows: tuple[str | None, str | None, str | None, int]) -> DataFrame:
    return spark.createDataFrame(rows, "customer_key string, city string, state string, n int")


def without_rare_values(
    rows: DataFrame,
    names: Sequence[str],
    *,
    smallest: int,
    by: Sequence[str] = (),
    counted: DataFrame | None = None,
) -> DataFrame:
    common = common_values(rows if counted is None else counted, names, smallest=smallest, by=by)
    return told_by(rows, names, common, by=by)


def test_a_town_of_few_is_its_state_and_a_state_of_few_is_other(spark: SparkSession) -> None:
    rows = people(
        spark,
        ("a", "Recife", "PE", 1),
        ("b", "Recife", "PE", 2),
        ("c", "Olinda", "PE", 3),
        ("d", "Belém", "PA", 4),
        ("e", None, "PE", 5),
        ("f", "Natal", None, 6),
    )
    grouped = without_rare_values(rows, ["city", "state"], smallest=2)
    assert grouped.columns == rows.columns
    assert sorted(map(tuple, grouped.collect())) == [
        ("a", "Recife", "PE", 1),
        ("b", "Recife", "PE", 2),
        ("c", "PE", "PE", 3),
        ("d", OTHER, OTHER, 4),
        ("e", None, "PE", 5),
        ("f", OTHER, None, 6),
    ]


def test_customers_are_counted_and_not_their_rows(spark: SparkSession) -> None:
    rows = people(
        spark,
        ("a", "Recife", None, 1),
        ("a", "Recife", None, 2),
        (None, "Olinda", None, 3),  # a sale without a customer is somebody's
        (None, "Olinda", None, 4),
    )
    grouped = without_rare_values(rows, ["city"], smallest=2)
    assert sorted(row["city"] for row in grouped.collect()) == ["Olinda", "Olinda", OTHER, OTHER]


def test_of_a_part_customers_are_counted_in_the_whole_and_by_day(spark: SparkSession) -> None:
    whole = people(
        spark,
        ("a", "Recife", None, 1),
        ("b", "Recife", None, 2),
        ("c", "Olinda", None, 1),
        ("d", "Olinda", None, 1),
    )
    part = whole.where("customer_key IN ('a', 'c')")
    assert {
        tuple(row)
        for row in without_rare_values(part, ["city"], smallest=2, counted=whole)
        .select("customer_key", "city")
        .collect()
    } == {("a", "Recife"), ("c", "Olinda")}
    by_day = without_rare_values(whole, ["city"], smallest=2, by=["n"])
    assert {tuple(row)[:2] for row in by_day.collect()} == {
        ("a", OTHER),
        ("b", OTHER),
        ("c", "Olinda"),
        ("d", "Olinda"),
    }
