"""The exploration report as a run leaves it."""

from __future__ import annotations

from customer360_tests.deployments import Home, metadata_by_partition

EXPLORATION = "reports/exploration"


def test_a_run_leaves_a_page_without_personal_data(demo: Home) -> None:
    (page,) = (demo.folder / "reports").glob("*")
    assert page.name == "exploration-2024-03-30.html"
    text = page.read_text()
    assert "Exploration of synthetic, up to 2024-03-30" in text
    words = text.partition("<h2>Pictures")[0] + text.partition("<h2>Repeat rates")[2]
    for row in demo.rows("silver/customers"):
        for column in ("customer_key", "email", "name"):
            assert row[column] is None or row[column] not in words


def test_the_preview_is_kept_with_its_own_day_alone(demo: Home) -> None:
    with demo.instance() as instance:
        found = metadata_by_partition(instance, EXPLORATION)
    assert [day for day in found if "figures" in found[day]] == ["2024-03-30"]
    assert "Gini coefficient of revenue" in found["2024-03-30"]["figures"]
    assert found["2024-03-30"]["plot_lorenz"].startswith("![lorenz](data:image/png;base64,")
