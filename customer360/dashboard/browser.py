"""What a page asks of the browser beyond Streamlit: its language, a menu out of the way, heights.

A script and a style sheet of our own, with nothing in them that comes from data.
"""

from __future__ import annotations

import streamlit as st

TALLEST = "calc(100dvh - 9rem)"
"""A table is no taller than the screen, so that its headings and its last row are seen at once."""

_STYLE = f"""
<style>
.st-key-adapted {{ display: none; }}
[class*="st-key-tall-"] {{ max-height: {TALLEST}; min-height: 12rem; }}
[data-testid="stMetricValue"] > div {{ white-space: normal; overflow: visible; }}
[data-testid="stMetricLabel"] p {{ white-space: normal; overflow: visible; }}
</style>
"""

_SCRIPT = """
<script>
document.documentElement.lang = "LANGUAGE";
if (!window.customer360Adapted) {
  window.customer360Adapted = true;
  const narrow = () => window.matchMedia("(max-width: 768px)").matches;
  document.addEventListener("click", (event) => {
    const chosen = event.target.closest('[data-testid="stSidebarNavLink"]');
    if (!chosen || !narrow()) return;
    setTimeout(() => {
      const menu = document.querySelector('[data-testid="stSidebar"][aria-expanded="true"]');
      menu?.querySelector('[data-testid="stSidebarCollapseButton"] button')?.click();
    }, 50);
  });
}
</script>
"""


def adapt(language: str) -> None:
    """Tell the browser the page's language, as BCP 47 has it, and how the page behaves on a phone.

    Args:
        language: ``pt-BR``; screen readers speak by it.
    """
    with st.container(key="adapted"):
        st.html(_STYLE + _SCRIPT.replace("LANGUAGE", language), unsafe_allow_javascript=True)
