"""The suppression list: what its cells mean, and that none is passed over."""

from __future__ import annotations

import hashlib
from pathlib import Path

from customer360.lakehouse.reading import engine
from customer360.serving import contacts
from customer360.serving.suppression import read_suppression
from customer360.silver.keys import customer_key_of

SECRET = b"known to the tests"
KEY = "0123456789abcdef" * 4


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def identifiers(folder: Path, content: str | bytes, *sources: str) -> set[tuple[str, str]]:
    file = folder / "stop.csv"
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    with engine() as connection:
        contacts.prepare(connection)
        read_suppression(
            connection,
            "suppressed",
            file,
            sources=sources or ("shop",),
            secret=SECRET,
            default_country="BR",
        )
        found = connection.table("suppressed").fetchall()
    assert len(found) == len(set(found))
    return set(found)


def test_every_column_names_a_customer_plain_or_hashed(tmp_path: Path) -> None:
    content = (
        "\ufeffCustomer_Key,source_customer_id,email,phone,country\r\n"
        f"{KEY},,,,\r\n"
        ",42,,,\r\n"
        "\r\n"
        f",,{sha256('b@example.com').upper()},,\r\n"
        ",, Jane.Doe@gmail.com ,,\r\n"
        ",,,(11) 98765-4321,\r\n"
        ",,,0113 496 0987,GB\r\n"
        f',,"c@example.com",{sha256("16505551212")},\r\n'
    )
    assert identifiers(tmp_path, content) == {
        ("customer_key", KEY),
        ("customer_key", customer_key_of("shop", "42", SECRET)),
        ("email", sha256("b@example.com")),
        ("email", sha256("janedoe@gmail.com")),
        ("phone", sha256("+5511987654321")),
        ("phone", sha256("+441134960987")),
        ("email", sha256("c@example.com")),
        ("phone", sha256("16505551212")),
    }


def test_an_id_is_of_the_source_beside_it(tmp_path: Path) -> None:
    content = "source,source_customer_id\nweb,42\n"
    found = identifiers(tmp_path, content, "shop", "web")
    assert found == {("customer_key", customer_key_of("web", "42", SECRET))}
