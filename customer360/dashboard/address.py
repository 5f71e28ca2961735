"""What is chosen on a page stands in its address, so that links, refreshing and going back keep it.

The address is the one truth: a widget shows what the address says, and changes the address. What is
not chosen, or is the page's own choice, does not stand there. `one`, `many`, `switch`, `text`,
`number` and `days` give a widget its arguments::

    size = st.selectbox(t("customers.rows"), SIZES, **address.one("rows", SIZES))

Each kind of widget takes the arguments as they are, in any container, and needs neither ``key`` nor
``index``, ``default`` or ``value`` of its own. Values stand in the address as codes, whatever they
are called in the language.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any
from urllib.parse import urlencode

import streamlit as st

from customer360.serving.kept_tables import OF_ONE_CUSTOMER

OF_ALL_PAGES = ("lang", "as_of")
"""Parameters that go from page to page; all others are a page's own."""

PAGE = "page"
"""Parameter of the number of a long table's page."""

_SHOWN = "shown"
"""Of the session: what the widgets of this run show, as the address would have it."""


_STRANGE = "address-strange"
"""Of the session: parameters of this run that name what `offered` was not given."""


def one(
    name: str,
    options: Sequence[Any],
    default: Any = None,
    *,
    required: bool = True,
    stated: bool = False,
    forgets: Sequence[str] = (),
) -> dict[str, Any]:
    """Arguments of a widget that chooses one of ``options``.

    Args:
        name: Of the parameter, and key of the widget: once a page.
        options: What can be chosen; their texts stand in the address.
        default: Chosen where the address says nothing; else the first option.
        required: Whether one must be chosen; a select box that need not is empty at first.
        stated: Whether also the page's own choice is to stand in the address: it is another one
            later, and something else that stands there would change its meaning.
        forgets: Parameters that mean something else after a change: the number of the page.
    """
    by_text = {str(option): option for option in options}
    usual = options[0] if default is None and required and options else default
    said = by_text.get(st.query_params.get(name, ""), usual)
    own = object() if stated else usual
    arguments = _kept(name, said, own, lambda value: [str(value)], forgets)
    return arguments if required else arguments | {"index": None}


def offered(name: str, options: Sequence[Any], read: Callable[[str], Any] = str) -> list[Any]:
    """``options``, and behind them what the address names that is none of them today.

    As a region in which nobody lives on this date: it filters all the same, so that nobody is shown
    and not everybody. See `is_strange`.

    Args:
        name: Of the parameter.
        options: What can be chosen without it.
        read: Gives the option that a text means; a ValueError says that it can never mean one.
    """
    found = list(options)
    strange: list[str] = st.session_state.setdefault(_STRANGE, [])
    for said in st.query_params.get_all(name):
        try:
            option = read(said)
        except ValueError:
            continue
        if option not in found:
            found.append(option)
            strange.append(name)
    return found


def many(
    name: str,
    options: Sequence[Any],
    *,
    brings: Mapping[str, Sequence[str]] | None = None,
    forgets: Sequence[str] = (),
) -> dict[str, Any]:
    """Arguments of a widget that chooses any number of ``options``; at first none.

    Args:
        name: Of the parameter, and key of the widget: once a page.
        options: What can be chosen; their texts stand in the address.
        brings: Other parameters without which a choice means nothing: they stand in the address
            with it.
        forgets: As for `one`.
    """
    by_text = {str(option): option for option in options}
    said = [by_text[text] for text in st.query_params.get_all(name) if text in by_text]
    return _kept(name, said, [], lambda value: [str(each) for each in value], forgets, brings)


def switch(name: str) -> dict[str, Any]:
    """Arguments of a toggle or a checkbox; at first off."""
    said = st.query_params.get(name) == "1"
    return _kept(name, said, False, lambda _: ["1"], ())


def text(
    name: str, stands: Callable[[str], bool] = bool, *, forgets: Sequence[str] = ()
) -> dict[str, Any]:
    """Arguments of a widget into which text is typed; at first none.

    Args:
        name: Of the parameter, and key of the widget: once a page.
        stands: Whether a text may stand in the address. Addresses are kept by browsers and on the
            way: whom somebody looks for by name is not for them, and stays on the page.
        forgets: As for `one`.
    """
    typed = str(st.session_state.get(name) or "")
    said = typed if typed and not stands(typed) else st.query_params.get(name, "")

    def write(value: str) -> list[str]:
        return [value] if value and stands(value) else []

    arguments = _kept(name, said, "", write, forgets) | {"persist_state": "page"}
    # Also what may not stand in the address.
    _shown()[name] = [said] if said else []
    return arguments


def number(
    name: str, least: float, most: float | None, default: float, *, forgets: Sequence[str] = ()
) -> dict[str, Any]:
    """Arguments of a widget for a number from ``least`` to ``most``, bounds included.

    Whole where ``default`` is; what is beyond a bound is the bound.
    """
    try:
        said = type(default)(st.query_params.get(name, default))
    except ValueError:
        said = default
    value = max(least, said if most is None else min(most, said))
    return _kept(name, type(default)(value), default, lambda value: [f"{value:.10g}"], forgets)


def days(
    name: str, default: tuple[date, date], least: date, most: date, *, forgets: Sequence[str] = ()
) -> dict[str, Any]:
    """Arguments of a date input for the first and the last day of a period, as ISO 8601."""
    try:
        first, last = sorted(date.fromisoformat(day) for day in st.query_params.get_all(name))
    except ValueError:
        first, last = default
    if not least <= first <= last <= most:
        first, last = default
    chosen: tuple[date, ...] = (first, last)
    halfway = st.session_state.get(name)
    if isinstance(halfway, tuple) and _is_half(halfway):
        chosen = halfway

    def write(value: Sequence[date]) -> list[str] | None:
        return [day.isoformat() for day in value] if len(value) == 2 else None

    return _kept(name, chosen, default, write, forgets)


def remembered(name: str, allowed: Sequence[str], otherwise: str) -> str:
    """What the address says of a parameter of `OF_ALL_PAGES`; else what it said last.

    The menu's links name none. What this gives belongs into the address again: see `change`.
    """
    said = st.query_params.get(name) or st.session_state.get(f"last-{name}")
    value = str(said) if said in allowed else otherwise
    st.session_state[f"last-{name}"] = value
    return value


def link(page: str, **parameters: object) -> str:
    """The address of another page, from any page: ``customers?segments=lost&as_of=2025-12-31``.

    Args:
        page: Its name; the overview's is empty.
        parameters: By name; a list stands there value by value, None and nothing do not.
    """
    return f"{page}?{urlencode(to_page(**parameters), doseq=True)}"


def to_page(**parameters: object) -> dict[str, list[str]]:
    """The parameters of another page, with those of `OF_ALL_PAGES` as they are here."""
    kept = {name: [st.query_params[name]] for name in OF_ALL_PAGES if name in st.query_params}
    return kept | {name: texts for name, value in parameters.items() if (texts := _texts(value))}


def here() -> str:
    """The whole address of what is shown, to be sent and kept."""
    place = str(st.context.url or "").partition("?")[0]
    asked = urlencode(changed({}), doseq=True)
    return f"{place}?{asked}" if asked else place


def begin() -> None:
    """Forget what the page of the last run showed: `shown` is of this run's."""
    st.session_state[_SHOWN] = {}
    st.session_state[_STRANGE] = []


def shown() -> dict[str, list[str]] | None:
    """What is chosen on the page, as its widgets say and not as its address does.

    Without what all pages have in common, and the number of a table's page. None where the page
    shows one customer, or what was searched for, be it in the address or not.
    """
    if st.query_params.get("customer") or any(_shown().get(name) for name in OF_ONE_CUSTOMER):
        return None
    left_out = (*OF_ALL_PAGES, PAGE)
    return {name: texts for name, texts in _shown().items() if texts and name not in left_out}


def is_strange() -> bool:
    """Whether the address chooses what nobody has: it may be anybody's words, and is not kept."""
    return bool(st.session_state.get(_STRANGE))


def is_half_chosen() -> bool:
    """Whether a period's second day is still to be chosen: what is shown then is no choice."""
    return any(_is_half(st.session_state.get(name)) for name in _shown())


def forget_unsaid() -> None:
    """Forget what stands in no address: another address is to show what it says.

    That is what was typed, and the first day of a period whose second one is not chosen.
    """
    halves = [name for name in _shown() if _is_half(st.session_state.get(name))]
    for name in (*OF_ONE_CUSTOMER, *halves):
        st.session_state.pop(name, None)


def change(changes: Mapping[str, Sequence[str] | None]) -> None:
    """Set these parameters at once: it is one step of the browser's history.

    Not before ``st.rerun``, which the browser may hear of first: see `changed`.

    Args:
        changes: Values by name; None or nothing takes it out.
    """
    after = changed(changes)
    if after != changed({}):
        st.query_params.from_dict(after)


def changed(changes: Mapping[str, Sequence[str] | None]) -> dict[str, list[str]]:
    """The parameters of this page with ``changes``, as for `change`: for ``Page.open_page``."""
    before = {name: st.query_params.get_all(name) for name in st.query_params}
    return {name: list(each) for name, each in (before | dict(changes)).items() if each}


def _texts(value: object) -> list[str]:
    if value is None or value == "":
        return []
    if isinstance(value, list | tuple):
        return [str(each) for each in value]
    return [str(value)]


def _kept(
    name: str,
    value: object,
    default: object,
    write: Callable[[Any], list[str] | None],
    forgets: Sequence[str],
    brings: Mapping[str, Sequence[str]] | None = None,
) -> dict[str, Any]:
    """Arguments of the widget that shows ``value`` and puts another into the address."""
    if name not in st.session_state or st.session_state[name] != value:
        st.session_state[name] = value

    def written(chosen: Any) -> list[str] | None:
        return [] if chosen == default and name not in OF_ALL_PAGES else write(chosen)

    def put() -> None:
        said = written(st.session_state[name])
        if said is not None:
            change({name: said} | dict.fromkeys(forgets) | (dict(brings or {}) if said else {}))

    _shown()[name] = written(value) or []
    return {"key": name, "on_change": put}


def _is_half(value: object) -> bool:
    """Whether it is the value of a date input of which the second day is still to be chosen."""
    return isinstance(value, tuple) and len(value) == 1


def _shown() -> dict[str, list[str]]:
    found: dict[str, list[str]] = st.session_state.setdefault(_SHOWN, {})
    return found
