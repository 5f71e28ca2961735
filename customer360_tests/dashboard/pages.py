"""Pages of the dashboard as Streamlit runs them, without a browser."""

from __future__ import annotations

from pathlib import Path

from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from customer360.dashboard import app


def page(name: str, language: str = "en", **address: str) -> AppTest:
    """A page of the dashboard, as it is after its first run."""
    test = AppTest.from_file(str(Path(app.__file__)), default_timeout=60)
    # AppTest.switch_page() knows files only; st.navigation knows a page by its address.
    test._page_hash = calc_hash("" if name == "overview" else name)
    test.query_params["lang"] = language
    for parameter, value in address.items():
        test.query_params[parameter] = value
    return test.run()


def metrics(test: AppTest) -> dict[str, str]:
    """The figures on the page's cards, by label."""
    return {each.label: each.value for each in test.metric}


def said(test: AppTest) -> str:
    """All texts of a page."""
    kinds = (test.title, test.markdown, test.caption, test.info, test.warning, test.error,
             test.success)  # fmt: skip
    return "\n".join(str(each.value) for kind in kinds for each in kind)
