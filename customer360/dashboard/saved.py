"""Saved views in the sidebar: opened, saved under a name, removed; shared by all who are here."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from itertools import chain
from typing import Literal

import streamlit as st

from customer360.dashboard import address
from customer360.dashboard.markdown import plain
from customer360.language import Language
from customer360.serving import saved_views
from customer360.serving.kept_tables import VIEW_NAME_LENGTH
from customer360.serving.saved_views import SavedView
from customer360.serving.warehouse import Login, WarehouseError
from customer360.short_keys import SHORT

_OPEN, _NAME = "saved-views", "view-name"
"""Keys of the widgets."""

_WANTED = "view-wanted"
"""Of the session: the view to open."""

_TO_REMOVE, _TO_REPLACE = "view-to-remove", "view-to-replace"
"""Of the session, until they are confirmed: the name of the view to remove, and the view to save
in the place of another."""

_ROWS = 8
"""Views that are listed before the list is scrolled."""

_ROW_PIXELS = 48


def wanted() -> SavedView | None:
    """The view that was chosen just now, once."""
    found: SavedView | None = st.session_state.pop(_WANTED, None)
    return found


def menu(t: Language, reader: Login, page: str | None, pages: Collection[str]) -> None:
    """The popover of saved views. It comes after the page, whose widgets say what is shown.

    Args:
        t: The language.
        reader: Login of the role that reads and keeps views.
        page: Name of the page that is shown; None where it is not shown whole.
        pages: Names of all pages.
    """
    popover = st.popover(
        t("views.title"),
        icon=":material/bookmarks:",
        width="stretch",
        key=_OPEN,
        on_change="rerun",
    )
    if not popover.open:
        _ask_nothing()
        return
    with popover:
        st.caption(t("views.explained"))
        listed = st.container()
        with _failing_alone():
            _save(t, reader, page)
        # After saving, so that what was saved is listed.
        with listed, _failing_alone():
            _list(t, reader, pages)


@contextmanager
def _failing_alone() -> Iterator[None]:
    """What goes wrong here is said here, and leaves the rest as it is."""
    try:
        yield
    except WarehouseError as error:
        st.warning(plain(str(error)), icon=":material/error:")


def _list(t: Language, reader: Login, pages: Collection[str]) -> None:
    views = saved_views.all_views(reader)
    if not views:
        st.markdown(t("views.none"))
        return
    tall: int | Literal["content"] = _ROW_PIXELS * _ROWS if len(views) > _ROWS else "content"
    with st.container(key="view-list", height=tall, border=False):
        for number, view in enumerate(views):
            _row(t, number, view, pages)
    name = st.session_state.get(_TO_REMOVE)
    if name not in [view.name for view in views]:
        return
    st.warning(t("views.remove_asked", name=plain(name)))
    if _confirmed(t, "remove"):
        saved_views.remove(reader, name)
        _ask_nothing()
        st.rerun()


def _confirmed(t: Language, what: str) -> bool:
    """Whether "yes" was pressed just now, beside a button that drops the question."""
    with st.container(horizontal=True):
        pressed = st.button(t(f"views.{what}_now"), type="primary", key=f"view-{what}-now")
        st.button(t("views.cancel"), key=f"view-{what}-cancel", on_click=_ask_nothing)
    return pressed


def _ask_nothing() -> None:
    for question in (_TO_REMOVE, _TO_REPLACE):
        st.session_state.pop(question, None)


def _row(t: Language, number: int, view: SavedView, pages: Collection[str]) -> None:
    name, known = plain(view.name), view.page in pages
    title = t(f"{view.page}.title") if known else t("views.no_page")
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            f"{name} · {title}",
            type="tertiary",
            disabled=not known,
            key=f"open-view-{number}",
            on_click=_choose,
            args=(view,),
            width="stretch",
            wrap=True,
        )
        st.button(
            t("views.remove"),
            icon=":material/delete:",
            type="tertiary",
            key=f"remove-view-{number}",
            help=t("views.remove_help", name=name),
            on_click=_ask_to_remove,
            args=(view.name,),
        )


def _choose(view: SavedView) -> None:
    st.session_state[_WANTED] = view
    st.session_state[_OPEN] = False
    _ask_nothing()
    # It would narrow the view, or stand in its way.
    address.forget_unsaid()


def _ask_to_remove(name: str) -> None:
    _ask_nothing()
    st.session_state[_TO_REMOVE] = name


def _save(t: Language, reader: Login, page: str | None) -> None:
    if page is None:
        st.markdown(t("views.not_whole"))
        return
    if address.is_half_chosen():
        st.markdown(t("views.half_chosen"))
        return
    if address.is_strange():
        st.markdown(t("views.strange"))
        return
    parameters = address.shown()
    if parameters is None or saved_views.may_name_a_customer(*chain(*parameters.values())):
        st.markdown(t("views.of_one"))
        return
    with st.form("save-view", border=False):
        typed = st.text_input(t("views.name"), max_chars=VIEW_NAME_LENGTH, key=_NAME)
        pressed = st.form_submit_button(t("views.save"), icon=":material/bookmark_add:")
    if pressed:
        _ask_nothing()
        _save_as(t, reader, SavedView(saved_views.tidied(typed), page, parameters))
    to_replace: SavedView | None = st.session_state.get(_TO_REPLACE)
    if to_replace is not None:
        _replace(t, reader, to_replace)


def _save_as(t: Language, reader: Login, view: SavedView) -> None:
    name = view.name
    if not name:
        st.warning(t("views.no_name"))
    elif saved_views.may_name_a_customer(name):
        st.warning(t("views.key_in_name", length=SHORT))
    elif saved_views.save(reader, view):
        st.success(t("views.saved", name=plain(name)))
    else:
        st.session_state[_TO_REPLACE] = view


def _replace(t: Language, reader: Login, view: SavedView) -> None:
    question, name = st.empty(), plain(view.name)
    with question.container():
        st.warning(t("views.taken", name=name))
        confirmed = _confirmed(t, "replace")
    if confirmed:
        saved_views.save(reader, view, replace=True)
        _ask_nothing()
        question.empty()
        st.success(t("views.saved", name=name))
