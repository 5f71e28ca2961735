"""How good the models are, and whether they still fit."""

from __future__ import annotations

import re

import pandas as pd
import streamlit as st

from customer360 import plotting
from customer360.dashboard import address, charts, tables
from customer360.dashboard.markdown import plain, without_formulas
from customer360.dashboard.page import Page
from customer360.dashboard.queries import models
from customer360.models.comparison import MODEL, comparison, readable
from customer360.models.lifetime_value import leaving
from customer360.models.notes import status_in

ICON, PLACE = "model_training", 60
DRIFT_SHOWN = 15
_HEADING = re.compile(r"^(#+) ", re.MULTILINE)


def render(page: Page) -> None:
    """A model's figures beside others, calibration, plots, drift and card."""
    t = page.t
    page.heading("models")
    versions = page.source.ask(models.versions)
    if versions.empty:
        page.nothing("models.none")
        return
    names = list(dict.fromkeys(versions["model"]))
    model = st.segmented_control(
        t("models.which"),
        names,
        format_func=lambda name: t.named("model", _in_gold(name)),
        required=True,
        **address.one("model", names, forgets=["version", "prediction"]),
    )
    of = versions[versions["model"] == model]
    numbers = list(of["version"])
    version = st.selectbox(
        t("models.version"),
        numbers,
        format_func=lambda name: _version(page, of, name),
        **address.one("version", numbers),
    )
    chosen = of[of["version"] == version].iloc[0]
    st.markdown(t.named("model_means", _in_gold(str(model))))
    first, second, third = st.columns(3)
    first.metric(t("models.trained"), t.day(chosen["trained_at"]), border=True)
    second.metric(t("models.as_of"), t.day(chosen["as_of"]), border=True)
    status, because = status_in(chosen["status"], chosen["because"] or "")
    third.metric(t("models.status"), t.named("status", status), border=True)
    if because:
        reason = "; ".join(t.note(*note) for note in because)
        page.nothing("models.fallback", reason=plain(reason))
    _comparison(page, str(model), str(version))
    _returned(page, str(model), str(version))
    _performance(page, _in_gold(str(model)))
    _plots(page, str(model), str(version))
    _drift(page, _in_gold(str(model)))
    if chosen["card"]:
        with st.expander(t("models.card"), icon=":material/description:"):
            # A step down: the page has a title already.
            st.markdown(without_formulas(_HEADING.sub(r"\1## ", str(chosen["card"]))))


def _in_gold(model: str) -> str:
    """The model's name in gold's tables, by its name in the registry."""
    return model.replace("-", "_")


def _version(page: Page, versions: pd.DataFrame, name: str) -> str:
    champion = bool(versions.loc[versions["version"] == name, "is_champion"].iat[0])
    return f"v{name}" + (f" · {page.t('models.champion')}" if champion else "")


def _comparison(page: Page, model: str, version: str) -> None:
    t = page.t
    st.markdown(f"## {t('models.figures_title')}")
    table = comparison(page.source.ask(models.figures, model, version))
    if table.empty:
        page.nothing("models.not_judged")
        return
    won = int((table["best"] == MODEL).sum())
    st.markdown(t("models.won", won=won, figures=len(table)))
    shown = readable(table, t)
    with tables.tall("figures", len(shown)):
        st.dataframe(shown, hide_index=True, width="stretch", height="stretch", key="table-figures")
    tables.download(table, f"figures-{model}", t)
    st.caption(t("models.figures_explained"))


def _returned(page: Page, model: str, version: str) -> None:
    t = page.t
    table = leaving.from_metrics(page.source.ask(models.figures, model, version))
    if table.empty:
        return
    st.markdown(f"## {t('models.returned_title')}")
    shown = leaving.readable(table, t)
    with tables.tall("returned", len(shown)):
        st.dataframe(
            shown, hide_index=True, width="stretch", height="stretch", key="table-returned"
        )
    tables.download(table, f"returned-{model}", t)
    clear, both = leaving.shown_by(table)
    if not both:
        says = t("models.returned_says.nothing")
    elif clear == both:
        says = t("models.returned_says.all")
    else:
        says = t("models.returned_says.some", clear=t.number(clear), groups=t.number(both))
    st.caption(f"{t('models.returned_explained')} {says}")


def _performance(page: Page, model: str) -> None:
    t = page.t
    rows = page.source.ask(models.performance, model, page.as_of)
    if rows.empty:
        page.nothing("models.no_performance")
        return
    of_code = rows["prediction"] + "-" + rows["horizon_days"].astype(str)
    named = {
        code: f"{t.named('column', str(name))} · {t.days(days)}"
        for code, name, days in zip(of_code, rows["prediction"], rows["horizon_days"], strict=True)
    }
    which = st.selectbox(
        t("models.prediction"),
        list(named),
        format_func=named.__getitem__,
        **address.one("prediction", list(named)),
    )
    of = rows[of_code == which]
    page.chart(
        plotting.calibration(
            of,
            (t("column.decile"), t("column.customers")),
            x=t("axis.predicted"),
            y=t("axis.actual"),
        ),
        "models.performance",
        as_of=t.day(of["as_of"].tolist()[0]),
    )
    tables.download(of, f"performance-{model}", t)


def _plots(page: Page, model: str, version: str) -> None:
    t = page.t
    plots = page.source.ask(models.plots, model, version)
    if plots.empty:
        page.nothing("models.no_plots")
        return
    st.markdown(f"## {t('models.plots_title')}")
    columns = st.columns(2)
    for number, plot in enumerate(plots.to_dict("records")):
        with columns[number % 2]:
            title = t.named("plot", str(plot["name"]))
            st.image(bytes(plot["png"]), caption=title, width="stretch", alt=title)


def _drift(page: Page, model: str) -> None:
    t = page.t
    rows = page.source.ask(models.drift, model, page.as_of)
    if rows.empty:
        page.nothing("models.no_drift")
        return
    reference = rows["reference_as_of"].tolist()[0]
    if reference == page.as_of:
        page.nothing("models.drift_reference", as_of=t.day(page.as_of))
        return
    names = {shift: t.named("shift", shift) for shift in ("stable", "moderate", "shifted")}
    top = rows.head(DRIFT_SHOWN)
    top = top.assign(
        shift=top["shift"].map(names), feature=[t.named("column", f) for f in top["feature"]]
    )
    page.chart(
        plotting.ranked_bars(
            top,
            "feature",
            "psi",
            x=t("axis.psi"),
            number_format=plotting.PLAIN,
            colour=charts.shifts(names),
        ),
        "models.drift",
        reference=t.day(reference),
        as_of=t.day(page.as_of),
        shifted=int((rows["shift"] == "shifted").sum()),
        features=len(rows),
    )
    tables.download(rows, f"drift-{model}", t)
