"""Yes and no as programs and people write them, a consent to marketing first of all.

A word that says neither is no value: consent is never guessed.
"""

from __future__ import annotations

from customer360.contracts.identifiers import trimmed_sql
from customer360.contracts.sql import literal

YES = (
    *("true", "t", "yes", "y", "1", "1.0", "on", "x"),
    *("sim", "s", "si", "sí", "oui", "ja", "j"),
    *("verdadeiro", "verdadero", "vero", "vrai", "wahr"),
    *("subscribed", "opt in", "opted in", "granted", "given", "accepted", "agreed", "allowed"),
)
"""Small letters; a hyphen or underscore between words is a blank."""
NO = (
    *("false", "f", "no", "n", "0", "0.0", "off"),
    *("não", "nao", "non", "nein", "falso", "faux", "falsch", "never subscribed"),
    *("unsubscribed", "not subscribed", "opt out", "opted out", "denied", "declined", "refused"),
    *("rejected", "withdrawn", "revoked", "not allowed"),
)


def boolean_sql(text: str) -> str:
    """Spark's SQL of what ``text`` says; null where it says neither yes nor no."""
    word = f"lower(translate({trimmed_sql(text)}, '-_', '  '))"
    yes, no = (", ".join(map(literal, words)) for words in (YES, NO))
    return f"CASE WHEN {word} IN ({yes}) THEN true WHEN {word} IN ({no}) THEN false END"
