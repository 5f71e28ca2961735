"""Text that is to stay text where Streamlit reads Markdown."""

from __future__ import annotations


def plain(text: str) -> str:
    """Text of the data as text: nothing in it is Markdown."""
    return "".join(
        f"\\{letter}" if letter in "\\`*_{}[]()#+-!|<>$:~" else letter for letter in text
    )


def without_formulas(text: str) -> str:
    """Text of ours, with Markdown in it: two dollar signs of amounts would be a formula."""
    return text.replace("$", "\\$")
