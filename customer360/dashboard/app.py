"""What Streamlit runs: languages, the as-of date, the pages, and what is said when one fails."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import date
from types import ModuleType

import streamlit as st

from customer360.dashboard.connection import NotMadeError, PublishedMeanwhileError, Reader
from customer360.dashboard.page import Page
from customer360.dashboard.queries.deployment import Published, published
from customer360.dashboard.source import Source
from customer360.dashboard.views import all_views
from customer360.dashboard.views.customers import plain
from customer360.errors import Customer360Error
from customer360.language import LANGUAGES, Language
from customer360.serving.warehouse import WarehouseError, reader_login
from customer360.settings import Settings, load_settings

log = logging.getLogger("customer360.dashboard")

_MOST_RERUNS = 3


def main() -> None:
    """One run of the app: Streamlit calls it for every click."""
    st.set_page_config("Customer Intelligence 360", ":material/hub:", layout="wide")
    code = _from_address("lang", tuple(LANGUAGES), _preferred())
    t = Language(code)
    opened: tuple[Settings, Source, Published] | None = None
    problem: Exception | None = None
    try:
        opened = _open()
    except Exception as error:  # noqa: BLE001 - shown on whichever page is open
        problem = error
    chosen: date | None = None
    if opened is not None:
        dates = {day.isoformat(): day for day in opened[2].as_of}
        facts = opened[2].facts
        t = Language(code, facts.get("currency", t.currency), facts.get("zone", t.zone))
        if dates:
            chosen = dates[_from_address("as_of", tuple(dates), next(iter(dates)))]

    def runner(view: ModuleType) -> Callable[[], None]:
        def run() -> None:
            if opened is None:
                assert problem is not None
                _say(problem, t)
                return
            settings, source, snapshot = opened
            page = Page(source, settings, snapshot, chosen, t, open_customer, open_page)
            _guarded(lambda: view.render(page), t)

        return run

    pages = {
        name: st.Page(
            runner(view),
            title=t(f"{name}.title"),
            icon=f":material/{view.ICON}:",
            url_path=name,
            default=name == "overview",
        )
        for name, view in all_views().items()
    }

    def open_customer(key: str) -> None:
        st.switch_page(pages["customers"], query_params={"customer": key})

    def open_page(name: str, parameters: dict[str, list[str]]) -> None:
        st.switch_page(pages[name], query_params=parameters)

    current = st.navigation(list(pages.values()), expanded=True)
    with st.sidebar:
        _sidebar(t, opened[2] if opened else None)
    current.run()


def _preferred() -> str:
    """The browser's language, if it is one of ours."""
    code = (st.context.locale or "").lower().partition("-")[0]
    return code if code in LANGUAGES else "en"


def _from_address(name: str, allowed: tuple[str, ...], otherwise: str) -> str:
    """A choice that is kept in the address, so that a link shows what its sender saw.

    The sidebar's widget of the same name changes it.
    """
    kept = st.session_state.get(name) or st.query_params.get(name)
    value = kept if kept in allowed else otherwise
    st.session_state[name] = value
    if st.query_params.get(name) != value:
        st.query_params[name] = value
    return str(value)


def _sidebar(t: Language, snapshot: Published | None) -> None:
    st.segmented_control(
        t("common.language"),
        list(LANGUAGES),
        format_func=LANGUAGES.__getitem__,
        key="lang",
        required=True,
    )
    if snapshot is None or not snapshot.as_of:
        return
    st.selectbox(
        t("common.as_of"),
        [day.isoformat() for day in snapshot.as_of],
        format_func=lambda day: t.day(date.fromisoformat(day)),
        key="as_of",
        help=t("common.as_of_help"),
    )
    if snapshot.published_at is not None:
        st.caption(t("common.published", at=t.moment(snapshot.published_at)))


def _open() -> tuple[Settings, Source, Published]:
    """The warehouse as it is now.

    Raises:
        NotMadeError: Nothing was ever published.
        Customer360Error: A setting is wrong, or the server does not answer.
    """
    settings = load_settings()
    reader = _reader(settings)
    try:
        with reader.reading() as reading:
            version = reading.version()
            snapshot = published(reading)
    except WarehouseError:
        _readers().clear()
        raise
    return settings, Source(reader, str(settings.home.absolute()), version), snapshot


@st.cache_resource(show_spinner=False)
def _readers() -> dict[str, Reader]:
    return {}


def _reader(settings: Settings) -> Reader:
    """The process's reader of this deployment; a new one after the server was away."""
    key, readers = str(settings.home.absolute()), _readers()
    if key not in readers:
        login = reader_login(settings)
        if login is None:
            raise NotMadeError("nothing has been published yet")
        readers[key] = Reader(login)
    return readers[key]


def _guarded(render: Callable[[], None], t: Language) -> None:
    """Run a page; what goes wrong is a sentence on it, and a trace in the log only."""
    try:
        render()
    except PublishedMeanwhileError as error:
        tries = st.session_state.get("reruns", 0) + 1
        st.session_state["reruns"] = tries
        if tries <= _MOST_RERUNS:
            st.rerun()
        st.session_state["reruns"] = 0
        _say(error, t)
    except Exception as error:  # noqa: BLE001 - people never see a trace
        _say(error, t)
    else:
        st.session_state["reruns"] = 0


def _say(error: Exception, t: Language) -> None:
    if isinstance(error, NotMadeError):
        log.info("not made yet: %s", error)
        st.title(t("problem.not_made_title"))
        st.info(t("problem.not_made"), icon=":material/construction:")
        st.code("customer360 run", language="shell")
        st.caption(t("problem.not_made_detail", detail=_inert(error)))
    elif isinstance(error, PublishedMeanwhileError):
        st.info(t("problem.publishing"), icon=":material/sync:")
        st.button(t("problem.again"))
    elif isinstance(error, WarehouseError):
        log.warning("%s", error)
        st.title(t("problem.no_server_title"))
        st.warning(t("problem.no_server"), icon=":material/cloud_off:")
        st.code("customer360 warehouse status", language="shell")
        st.caption(_inert(error))
        st.button(t("problem.again"))
    elif isinstance(error, Customer360Error):
        log.warning("%s", error)
        st.error(_inert(error), icon=":material/error:")
    else:
        log.error("page failed", exc_info=error)
        st.error(t("problem.unexpected", kind=type(error).__name__), icon=":material/error:")


def _inert(error: Exception) -> str:
    """The message as text: nothing in it is Markdown."""
    return plain(str(error))


if __name__ == "__main__":
    main()
