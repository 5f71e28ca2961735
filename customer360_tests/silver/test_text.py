from __future__ import annotations

import unicodedata
from collections.abc import Callable

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import Column, SparkSession
from pyspark.sql import functions as F

from customer360.silver import text


def applied(spark: SparkSession, rule: Callable[[Column], Column], *values: str | None) -> list:
    frame = spark.createDataFrame([(n, v) for n, v in enumerate(values)], "n int, v string")
    return [row[0] for row in frame.orderBy("n").select(rule(F.col("v"))).collect()]


def test_white_space_is_trimmed_and_collapsed_and_blank_is_null(spark) -> None:
    given_ = [
        "  a   b ",
        "a\tb\r\nc",
        "\u00a0a\u00a0 b",
        "a\u200bb\ufeff",
        "ok",
        "   ",
        "\t",
        "",
        None,
    ]
    assert applied(spark, text.tidy, *given_) == [
        "a b", "a b c", "a b", "ab", "ok", None, None, None, None,
    ]  # fmt: skip


def test_identifiers_keep_case_zeros_and_inner_blanks(spark) -> None:
    assert applied(spark, text.identifier, " 0042 ", "aB  c", " ", None) == [
        "0042", "aB  c", None, None,
    ]  # fmt: skip


def test_names_get_case_only_where_they_have_none(spark) -> None:
    names = ["  MARIA  DA SILVA ", "joão souza", "Ana de Souza", "McDonald", "李小龍", "  ", None]
    assert applied(spark, lambda name: text.cased(text.composed(text.tidy(name))), *names) == [
        "Maria Da Silva", "João Souza", "Ana de Souza", "McDonald", "李小龍", None, None,
    ]  # fmt: skip


def test_emails_phones_codes_and_tax_ids(spark) -> None:
    assert applied(spark, text.email, " Ana.Lima@Example.COM ", "a b@x.org", " ") == [
        "ana.lima@example.com", "ab@x.org", None,
    ]  # fmt: skip
    phones = ["+55 (11) 98765-4321", "001-234-567-8901x23", "0171 / 55 ext. 9", "none", "x", None]
    assert applied(spark, text.phone, *phones) == [
        "+5511987654321", "0012345678901x23", "017155x9", None, None, None,
    ]  # fmt: skip
    assert applied(spark, text.code, "01310", " sw1a  1aa ", "") == ["01310", "SW1A 1AA", None]
    assert applied(spark, text.tax_id, "123.456.789-09", "de 12x", "-") == [
        "12345678909", "DE12X", None,
    ]  # fmt: skip
    assert applied(spark, text.region, "sp", "nsw", "bavaria", "Rio Grande do Sul", None) == [
        "SP", "NSW", "Bavaria", "Rio Grande do Sul", None,
    ]  # fmt: skip


LATIN = [chr(c) for c in (*range(0x41, 0x250), *range(0x1E00, 0x1F00))]


@settings(max_examples=4, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    words=st.lists(st.text(st.sampled_from([*LATIN, " ", "李", "😀"]), max_size=12), min_size=40,
                   max_size=80)
)  # fmt: skip
def test_latin_letters_are_composed_as_unicode_says(spark, words: list[str]) -> None:
    apart = [unicodedata.normalize("NFD", word) for word in words]
    whole = [unicodedata.normalize("NFC", word) for word in words]
    assert applied(spark, text.composed, *apart) == whole
    assert applied(spark, text.composed, *whole) == whole


def test_half_composed_letters_are_composed_too_and_unknown_marks_stay(spark) -> None:
    assert applied(spark, text.composed, "Nguye\u0302\u0303n", "Nguy\u00ea\u0303n", "x\u0303") == [
        "Nguyễn", "Nguyễn", "x\u0303",
    ]  # fmt: skip
