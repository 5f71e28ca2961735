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
[class*="st-key-tall-"] {{ max-height: {TALLEST}; }}
/* Sections are h2, as the page's title is h1: not as large. */
[data-testid="stMain"] h2 {{ font-size: 1.25rem; padding: 0.75rem 0 0.25rem; }}
/* What Streamlit writes small and faint has too little contrast: WCAG 2.2 asks for 4.5 to 1. */
[data-testid="stCaptionContainer"], [data-testid="stCaptionContainer"] * {{ color: inherit; }}
[data-testid="stCaptionContainer"] {{ opacity: 0.8; }}
@media (prefers-color-scheme: dark) {{
  [data-testid^="stBaseButton-primary"] p {{ color: #0e1117; }}
}}
/* A figure is never cut: it takes a second line. */
[data-testid="stMetricValue"], [data-testid="stMetricValue"] *,
[data-testid="stMetricLabel"], [data-testid="stMetricLabel"] * {{
  /* Streamlit keeps the paragraph within on one line by a more specific rule. */
  white-space: normal !important; overflow: visible; text-overflow: clip; overflow-wrap: anywhere;
}}
[data-testid="stMetricValue"] {{ font-size: clamp(1.25rem, 2.2vw, 2.25rem); }}
@media (max-width: 768px) {{ [data-testid="stMetricValue"] {{ font-size: 1.75rem; }} }}
</style>
"""

_SCRIPT = """
<script>
document.documentElement.lang = "LANGUAGE";
if (!window.customer360Adapted) {
  window.customer360Adapted = true;
  const narrow = () => window.matchMedia("(max-width: 768px)").matches;
  document.addEventListener("click", (event) => {
    const chosen = event.target.closest(
      '[data-testid="stSidebarNavLink"], [class*="st-key-open-view-"] button');
    if (!chosen || !narrow()) return;
    setTimeout(() => {
      const menu = document.querySelector('[data-testid="stSidebar"][data-collapsed="false"]');
      menu?.querySelector('[data-testid="stSidebarCollapseButton"] button')?.click();
    }, 50);
  });
  // A sparkline says no more than the figure above it, and has no text that could be read out.
  const hush = () => document
    .querySelectorAll('[data-testid="stMetricChart"]:not([aria-hidden])')
    .forEach((chart) => chart.setAttribute("aria-hidden", "true"));
  new MutationObserver(hush).observe(document.body, {childList: true, subtree: true});
  hush();
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
