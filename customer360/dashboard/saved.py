"""Saved views in the sidebar: opened, saved under a name, removed; shared by all who are here."""

from __future__ import annotations

from collections.abc import Collection
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

_OPEN, _NAME = "saved-views", "view-name"
"""Keys of the widgets."""

_WANTED, _TO_REMOVE = "view-wanted", "view-to-remove"
"""Of the session: the view to open, and the name of the one to remove when that is confirmed."""

_ROWS = 8
"""Views that are listed before the list is scrolled."""

_ROW_PIXELS = 48


def wanted() -> SavedView | None:
    """The view that was chosen just now, once."""
    found: SavedView | None = st.session_state.pop(_WANTED, None)
    return found


def menu(t: Language, reader: Login, page: str, pages: Collection[str]) -> None:
    """The popover of saved views. It comes after the page, whose widgets say what is shown.

    Args:
        t: The language.
        reader: Login of the role that reads and keeps views.
        page: Name of the page that is shown.
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
        return
    with popover:
        st.caption(t("views.explained"))
        listed = st.container()
        try:
            _save(t, reader, page)
            # After saving, so that what was saved is listed.
            with listed:
                _list(t, reader, pages)
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
    if st.button(t("views.remove_now"), type="primary", key="view-remove-now"):
        saved_views.remove(reader, name)
        del st.session_state[_TO_REMOVE]
        st.rerun()


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
    # What was typed to search for stands in no address, and would narrow the view.
    address.forget_typed()


def _ask_to_remove(name: str) -> None:
    st.session_state[_TO_REMOVE] = name


def _save(t: Language, reader: Login, page: str) -> None:
    parameters = address.shown()
    if parameters is None or saved_views.may_name_a_customer(*chain(*parameters.values())):
        st.markdown(t("views.of_one"))
        return
    with st.form("save-view", border=False):
        typed = st.text_input(t("views.name"), max_chars=VIEW_NAME_LENGTH, key=_NAME)
        pressed = st.form_submit_button(t("views.save"), icon=":material/bookmark_add:")
    if not pressed:
        return
    name = saved_views.tidied(typed)
    if not name:
        st.warning(t("views.no_name"))
    elif saved_views.may_name_a_customer(name):
        st.warning(t("views.key_in_name"))
    elif saved_views.save(reader, SavedView(name, page, parameters)):
        st.success(t("views.saved", name=plain(name)))
    else:
        st.warning(t("views.taken", name=plain(name)))
