"""The page of all keys says what the models say."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel

from customer360.sources.files.mapping import FileMapping
from customer360.sources.mapping import Columns, parse
from customer360.sources.mapping_docs import (
    PATH,
    fields_of,
    mappings_markdown,
    with_key,
)
from customer360.sources.postgres.mapping import PostgresMapping

ROOT = Path(__file__).parents[2]
KEYS = [
    (model, key)
    for model in (FileMapping, PostgresMapping)
    for key in fields_of(model)
    if fields_of(model)[key].examples
]


def test_the_page_is_current() -> None:
    assert (ROOT / PATH).read_text(encoding="utf-8") == mappings_markdown(), "run: make generate"


def test_every_key_is_on_the_page() -> None:
    page = mappings_markdown()
    for model in (FileMapping, PostgresMapping):
        assert [key for key in fields_of(model) if f"\n| `{key}` |" not in page] == []


def test_every_key_and_role_is_described_by_an_example() -> None:
    for model in (FileMapping, PostgresMapping, Columns):
        for key, field in fields_of(model).items():
            assert field.description, f"{model.__name__}.{key} has no description"
            assert field.examples, f"{model.__name__}.{key} has no example"


@pytest.mark.parametrize(("model", "key"), KEYS)
def test_an_example_can_be_written(model: type[BaseModel], key: str) -> None:
    example = fields_of(model)[key].examples
    assert example
    kind = PostgresMapping if model is PostgresMapping else FileMapping
    assert parse(kind, with_key(model, key, example[0]), where=key) is not None
