"""The suppression list: what its cells mean, and that none is passed over."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from customer360.lakehouse.reading import engine
from customer360.serving import contacts
from customer360.serving.suppression import SuppressionError, read_suppression
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


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("email\na@example.com\nnobody\n", "row 3, column email: expected an e-mail address"),
        ("phone\n12\n", "row 2, column phone: expected a phone number"),
        ("customer_key\n0123\n", "row 2, column customer_key: expected 64 hexadecimal digits"),
        (
            "source,source_customer_id\nother,1\n",
            "row 2, column source_customer_id: expected an id with its source, one of shop",
        ),
        # One good identifier does not excuse a bad one beside it.
        (f"customer_key,email\n{KEY},nobody\n", "row 2, column email"),
    ],
)
def test_a_cell_that_cannot_be_read_is_an_error(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(
        SuppressionError, match=f"stop.csv, {message}.*campaign lists stay as they were"
    ):
        identifiers(tmp_path, content)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "row 1: expected a header of some of .*, found nothing"),
        ("email;phone\n", "row 1: expected a header of some of .*, found email;phone"),
        ("email,e-mail\n", "row 1: expected a header"),
        ("ana@example.com\nbo@example.com\n", "found a first line of 1 value, .* text of 15 char"),
        ("country\nBR\n", "row 1: expected a header"),
        ("email,email\n", "row 1: expected a header"),
        ("email,country\na@example.com\n", "row 2: expected 2 cells, as in the header, found few"),
        ("email\na@example.com,b@example.com\n", "row 2: expected 1 cells, .*, found more"),
        ("email,country\n\n ,BR\n", "row 3: expected a value in one of"),
        ('email\n"a@example.com\n', "row 2: unexpected end of data"),
        ("email\n\xe9@example.com\n".encode("latin-1"), "expected text in UTF-8"),
    ],
)
def test_a_file_of_another_form_is_an_error(
    tmp_path: Path, content: str | bytes, message: str
) -> None:
    with pytest.raises(SuppressionError, match=f"{message}.*campaign lists stay as they were"):
        identifiers(tmp_path, content)


def test_a_list_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    gone = tmp_path / "gone.csv"
    with (
        engine() as connection,
        pytest.raises(SuppressionError, match=r"gone\.csv cannot be read"),
    ):
        read_suppression(connection, "suppressed", gone, sources=["shop"], secret=SECRET)
