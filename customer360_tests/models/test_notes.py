"""Notes: kept as codes with values, and worded in every language."""

from __future__ import annotations

import ast
import string
from pathlib import Path

import pytest

import customer360
from customer360.language import LANGUAGES, Language, texts
from customer360.models.notes import Note, in_english, notes_in, status_in, stored

WHY = Note("too_few_came_back", {"model": "MBG/NBD", "needed": 50, "there": 3.0})
NOTES = (
    Note("in_place_of", {"rival": "mbg_nbd", "why": WHY}),
    Note("smaller_class", {"smaller": 3, "rows": 1_200, "dates": "training", "needed": 50}),
    Note("not_tested"),
)


def stated() -> set[str]:
    """Codes of all notes that the package makes."""
    found = set()
    for path in Path(customer360.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "Note":
                codes = [node.args[0]] if node.args else []
                if codes and isinstance(codes[0], ast.IfExp):
                    codes = [codes[0].body, codes[0].orelse]
                if ast.unparse(node).startswith("Note(*"):  # one that was read back
                    continue
                literal = [code.value for code in codes if isinstance(code, ast.Constant)]
                assert len(literal) == len(codes), (
                    f"{path.name}: {ast.unparse(node)} hides its code"
                )
                found |= set(map(str, literal))
    return found


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_note_has_words_and_no_word_is_unused(language: str) -> None:
    worded = {key.removeprefix("note.") for key in texts(language) if key.startswith("note.")}
    assert worded == stated()


def test_what_was_stored_is_read_and_said_as_it_was() -> None:
    assert stored(()) == ""
    assert notes_in("") == ()
    again = notes_in(stored(NOTES))
    assert (
        in_english(again)
        == in_english(NOTES)
        == (
            "in place of MBG/NBD: MBG/NBD needs 50 customers who came back, there are 3; "
            "only 3 of 1,200 customers on the training dates are of the smaller class where 50 are "
            "needed; not tested: no later date is left to test on"
        )
    )
    assert Language("pt").note(*again[1]) == (
        "só 3 de 1.200 clientes nas datas de treino são da classe menor, e são necessários 50"
    )


@pytest.mark.parametrize(
    "text",
    ["BG/NBD: flat; not tested", "3", "null", "[3]", '"text"', '{"ab": 1}', '["ab"]', '[["x", 3]]'],
)
def test_a_text_of_an_older_release_is_said_as_it_is(text: str) -> None:
    assert in_english(notes_in(text)) == text


@pytest.mark.parametrize(
    ("status", "because", "standing", "why"),
    [
        ("trained", "", "trained", ""),
        ("fallback", stored([WHY]), "fallback", in_english([WHY])),
        # As an older release kept it.
        ("fallback: BG/NBD: flat; not tested", "", "fallback", "BG/NBD: flat; not tested"),
        ("", "", "", ""),
    ],
)
def test_the_standing_of_a_model_is_told_from_why(
    status: str, because: str, standing: str, why: str
) -> None:
    found, notes = status_in(status, because)
    assert (found, in_english(notes)) == (standing, why)


def test_days_figures_shares_and_several_notes_are_written_as_the_language_does() -> None:
    loses = Note(
        "loses_to_naive",
        {
            "figure": "purchases_mae",
            "own": 0.7812345,
            "champion": "3",
            "rivals": [
                Note("figure_of_rival", {"rival": "past_average", "value": 0.5}),
                Note("figure_of_rival", {"rival": "a_rule_to_come", "value": 1_234.5}),
            ],
        },
    )
    margin = Note(
        "no_margin",
        {"figure": "brier", "own": 0.2, "other": 0.2, "margin": 0.025, "champion": "3"},
    )
    days = Note(
        "of_an_earlier_day", {"as_of": "2025-01-31", "made_for": "2025-06-30", "champion": "3"}
    )
    notes = notes_in(stored([loses, margin, days]))
    assert in_english(notes).split("; ") == [
        "Mean absolute error (MAE), purchases 0.7812 does not beat the naive rules "
        "(Own past average 0.5, a_rule_to_come 1,234)",
        "the champion v3 stays",
        "Brier score 0.2 does not beat the champion's 0.2 by the 2.5% asked for",
        "v3 stays",
        "it was trained for 31 Jan 2025",
        "the champion v3, for 30 Jun 2025, stays",
    ]
    assert [Language("pt").note(*note) for note in notes] == [
        "Erro absoluto médio (MAE), compras 0,7812 não supera as regras simples "
        "(Média do próprio passado 0,5, a_rule_to_come 1.234); fica o modelo em uso, v3",
        "Escore de Brier 0,2 não supera 0,2 do modelo em uso por 2,5%, como se pede; fica v3",
        "foi treinado para 31/01/2025; fica o modelo em uso, v3, de 30/06/2025",
    ]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_note_of_a_newer_release_is_shown_as_its_code(language: str) -> None:
    said = Language(language).note
    assert said("told_by_the_stars", {"star": 3}) == "told_by_the_stars"
    assert said("too_few_came_back", {"number": 3}) == "too_few_came_back"
    inner = said("in_place_of", {"rival": "mbg_nbd", "why": ("told_by_the_stars", {})})
    assert inner.endswith("told_by_the_stars")
    unknown = said("too_few_came_back", {"model": "MBG/NBD", "needed": None, "there": None})
    assert "MBG/NBD" in unknown
    assert "–" in unknown


def test_texts_have_only_kinds_of_fields_that_are_known() -> None:
    for key, text in texts("en").items():
        if key.startswith("note."):
            kinds = {kind for _, name, kind, _ in string.Formatter().parse(text) if name}
            assert {kind for kind in kinds if kind and "|" not in kind} <= {
                "d", "g", "%", ".1%", ".1f", ".2f", ".3f", "day"
            }  # fmt: skip
