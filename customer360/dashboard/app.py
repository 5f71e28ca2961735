"""What Streamlit runs: languages, the as-of date, the pages, and what is said when one fails."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import date
from types import ModuleType

import streamlit as st

from customer360.dashboard import address, browser, saved
from customer360.dashboard.connection import NotMadeError, PublishedMeanwhileError, Reader
from customer360.dashboard.markdown import plain
from customer360.dashboard.page import Page
from customer360.dashboard.queries.deployment import Published, published
from customer360.dashboard.source import Source
from customer360.dashboard.views import all_views
from customer360.errors import Customer360Error
from customer360.language import LANGUAGES, Language
from customer360.serving.shared_settings import with_shared
from customer360.serving.warehouse import WarehouseError, reader_login
from customer360.settings import Settings, load_settings

log = logging.getLogger("customer360.dashboard")

FIRST = "overview"
"""The page that opens where no page is named."""

_MOST_RERUNS = 3


def main() -> None:
    """One run of the app: Streamlit calls it for every click."""
    st.set_page_config("Customer Intelligence 360", ":material/hub:", layout="wide")
    address.begin()
    code = address.remembered("lang", tuple(LANGUAGES), _preferred())
    t = Language(code)
    opened: tuple[Settings, Source, Published] | None = None
    problem: Exception | None = None
    try:
        opened = _open()
    except Exception as error:  # noqa: BLE001 - shown on whichever page is open
        problem = error
    chosen: date | None = None
    of_all_pages = {"lang": [code]}
    if opened is not None:
        dates = {day.isoformat(): day for day in opened[2].as_of}
        facts = opened[2].facts
        t = Language(code, facts.get("currency", t.currency), facts.get("zone", t.zone))
        if dates:
            day = address.remembered("as_of", tuple(dates), next(iter(dates)))
            chosen = dates[day]
            of_all_pages["as_of"] = [day]
    # So that a link shows what its sender saw.
    address.change(of_all_pages)

    whole = False
    """Whether all of the page is there, with what is chosen on it."""

    def runner(view: ModuleType) -> Callable[[], None]:
        def run() -> None:
            nonlocal whole
            if opened is None:
                assert problem is not None
                _say(problem, t)
                return
            settings, source, snapshot = opened
            page = Page(source, settings, snapshot, chosen, t, open_customer, open_page)
            whole = _guarded(lambda: view.render(page), t)

        return run

    pages = {
        name: st.Page(
            runner(view),
            title=t(f"{name}.title"),
            icon=f":material/{view.ICON}:",
            url_path=name if name != FIRST else "",
            default=name == FIRST,
        )
        for name, view in all_views().items()
    }

    def first_page() -> None:
        open_page(FIRST, address.changed({}))

    # The first page has no name in its address; people who type it mean it all the same.
    named = st.Page(first_page, title=t(f"{FIRST}.title"), url_path=FIRST, visibility="hidden")
    current = st.navigation([*pages.values(), named], expanded=True)

    def open_customer(key: str) -> None:
        # From the list, its filters are kept: it is one step back.
        in_list = current.url_path == "customers"
        open_page(
            "customers",
            address.changed({"customer": [key]}) if in_list else address.to_page(customer=key),
        )

    def open_page(name: str, parameters: dict[str, list[str]]) -> None:
        st.switch_page(pages[name], query_params=parameters)

    view = saved.wanted()
    if view is not None and view.page in pages and opened is not None:
        # A view is of no day: it shows the newest, whichever was looked at before.
        newest = [day.isoformat() for day in opened[2].as_of[:1]]
        open_page(view.page, {**view.parameters, "lang": [code], "as_of": newest})
    with st.sidebar:
        _sidebar(t, opened[2] if opened else None)
    browser.adapt(t.tag)
    current.run()
    with st.sidebar:
        if opened is not None:
            page = (current.url_path or FIRST) if whole else None
            saved.menu(t, opened[1].reader.login, page, pages)
        _link(t)


def _preferred() -> str:
    """The browser's language, if it is one of ours."""
    code = (st.context.locale or "").lower().partition("-")[0]
    return code if code in LANGUAGES else "en"


def _sidebar(t: Language, snapshot: Published | None) -> None:
    st.segmented_control(
        t("common.language"),
        list(LANGUAGES),
        format_func=LANGUAGES.__getitem__,
        required=True,
        **address.one("lang", tuple(LANGUAGES)),
    )
    if snapshot is None or not snapshot.as_of:
        return
    days = [day.isoformat() for day in snapshot.as_of]
    st.selectbox(
        t("common.as_of"),
        days,
        format_func=lambda day: t.day(date.fromisoformat(day)),
        help=t("common.as_of_help"),
        **address.one("as_of", days),
    )
    if snapshot.published_at is not None:
        st.caption(t("common.published", at=t.moment(snapshot.published_at)))


def _link(t: Language) -> None:
    """The whole address of what is shown, with a button that copies it."""
    with st.popover(t("common.link"), icon=":material/link:", width="stretch"):
        st.caption(t("common.link_explained"))
        st.code(address.here(), language=None, wrap_lines=True)


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
    settings = with_shared(settings, snapshot.facts)
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


def _guarded(render: Callable[[], None], t: Language) -> bool:
    """Run a page; what goes wrong is a sentence on it, and a trace in the log only.

    Returns:
        Whether nothing went wrong.
    """
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
        return True
    return False


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
