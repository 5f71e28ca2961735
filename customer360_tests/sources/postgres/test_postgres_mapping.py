"""The YAML of tables and queries: its defaults, its mistakes, and a login that is never shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from customer360.deployment import Deployment
from customer360.errors import SettingsError
from customer360.settings import load_settings
from customer360.sources.postgres import load_mapping, shipped_mappings
from customer360.sources.postgres.mapping import parse_mapping

SMALLEST = """
name: shop
table: public.orders
time_zone: Europe/London
currency: GBP
grain: orders
columns: {order_id: id, occurred_at: at, amount: total}
"""
LINES = "grain: lines\nwatermark: {column: changed}"


def test_the_smallest_mapping_reads_everything_in_four_slices() -> None:
    found = parse_mapping(SMALLEST, where="shop.yaml")
    assert found.table == "shop_postgres_orders"
    assert (found.place, found.partitions, found.key_columns) == ("public.orders", 4, ())
    assert found.stated_columns() == ["id", "at", "total"]


def test_what_guides_the_reading_is_kept_in_bronze() -> None:
    more = (
        "watermark: {column: changed, overlap: 1000}\nkey: [shop, id]\ndeletes: {column: removed}\n"
    )
    found = parse_mapping(SMALLEST + more, where="shop.yaml")
    assert found.key_columns == ("shop", "id")
    assert found.deleted_column == "removed"
    assert found.stated_columns() == ["id", "at", "total", "shop", "changed", "removed"]
    lines = parse_mapping(
        SMALLEST.replace("grain: orders", LINES).replace("{order_id", "{line_id: line, order_id"),
        where="shop.yaml",
    )
    assert lines.key_columns == ("id", "line")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("table: public.orders", ""), "name either a table or a query"),
        (("grain", "query: SELECT 1\ngrain"), "name either a table or a query"),
        (("table:", "tables:"), "tables: is not a key of a mapping; write table if that is meant"),
        (
            ("grain", "watermark: {colum: at}\ngrain"),
            "watermark.colum: is not a key .*; write column if",
        ),
        (
            ("grain", "deletes: {colum: at}\ngrain"),
            "deletes.SoftDelete.colum: is not a key .* column",
        ),
        (
            ("grain", "deletes: noticed\ngrain"),
            "deletes: 'noticed' must be snapshot, or the column",
        ),
        (("grain", "partitions: 0\ngrain"), "partitions: 0 must be at least 1"),
        (("grain: orders", LINES), "watermark and deletes need to tell lines apart: name columns"),
        (("grain", "date_format: yyyy\ngrain"), "date_format: is not a key of a mapping"),
    ],
)
def test_a_mistake_is_one_line_that_says_where(change: tuple[str, str], said: str) -> None:
    with pytest.raises(SettingsError, match=f"^mapping shop.yaml: {said}") as error:
        parse_mapping(SMALLEST.replace(*change), where="shop.yaml")
    assert "\n" not in str(error.value)


def test_every_shipped_mapping_loads_by_its_name() -> None:
    assert shipped_mappings() == ("olist",)
    assert load_mapping("olist").name == "olist"


def test_a_deployment_names_its_database_and_never_shows_the_password(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def deployment() -> Deployment:
        return Deployment.of(load_settings(tmp_path, sources=["postgres"]))

    with pytest.raises(SettingsError, match="set CUSTOMER360_POSTGRES_URL"):
        deployment()
    monkeypatch.setenv("CUSTOMER360_POSTGRES_URL", "postgresql://me:s3cret@db.example/shop")
    with pytest.raises(SettingsError, match="give --mapping YAML or set CUSTOMER360_POSTGRES_MAPP"):
        deployment()
    monkeypatch.setenv("CUSTOMER360_POSTGRES_MAPPING", "olist")
    made = deployment()
    (source,) = made.sources
    assert (source.name, source.tables) == ("olist", ("olist_postgres_orders",))
    assert "s3cret" not in repr(made)
    assert "s3cret" not in repr(vars(source))
