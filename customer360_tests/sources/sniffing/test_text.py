"""Encodings told from bytes."""

from __future__ import annotations

import pytest

from customer360.sources.sniffing.text import encoding_of

GERMAN = "1;Müller;Größe\n2;Jäger;Straße – „Süd“\n"
POLISH = "1;Łódź;żółty\n2;Kraków;święto\n3;Gdańsk;źdźbło\n"
RUSSIAN = "1;Москва;Иванов\n2;Казань;Смирнов\n3;Самара;Кузнецова\n"
JAPANESE = "1;東京都;注文\n2;大阪府;顧客番号\n3;京都府;商品の名前\n"


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"id;total\n1;5\n", "utf-8"),
        (GERMAN.encode(), "utf-8"),
        (GERMAN.encode("cp1252"), "windows-1252"),
        ("1;Café;L’Été\n".encode("cp1252"), "windows-1252"),
        (GERMAN.encode("utf-16"), "utf-16"),
        (RUSSIAN.encode("cp1251"), "cp1251"),
        (RUSSIAN.encode("koi8-r"), "koi8-r"),
        (JAPANESE.encode("cp932"), "cp932"),
    ],
)
def test_an_encoding_is_told_from_the_bytes(data: bytes, name: str) -> None:
    assert encoding_of(data)[0] == name


def test_what_is_likely_only_is_said() -> None:
    for data in (POLISH.encode("cp1250"), GERMAN.replace("–", "-").encode("cp850", "ignore")):
        assert not encoding_of(data)[2]
    assert encoding_of(GERMAN.encode("cp1252"))[2]
