"""Who is meant by an id, a customer key, an e-mail address or a phone number."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from customer360.deployment import Deployment
from customer360.errors import Customer360Error, listed
from customer360.lakehouse.reading import Tables, engine
from customer360.short_keys import begun_key
from customer360.silver.keys import customer_key_of
from customer360.sources.people import CUSTOMER
from customer360.table_names import CUSTOMERS

SEPARATOR = ":"
"""Between a source and its own id, where a person is named by both: ``shop:10023``."""

_SHOWN = 3
_BY_ID, _BY_PHONE, _BY_SHORT_KEY = 3, 5, 6


class UnknownPersonError(Customer360Error):
    """Nobody is known by what was given; the message says by what people are known."""


@dataclass(frozen=True)
class Person:
    """A customer of a source.

    Attributes:
        source: Name of the source.
        source_customer_id: The source's own id.
        customer_key: The platform's pseudonym.
    """

    source: str
    source_customer_id: str
    customer_key: str


def find_people(tables: Tables, deployment: Deployment, given: Sequence[str]) -> list[Person]:
    """Everybody who is meant by any of ``given``, each once.

    One e-mail address or phone number may be of several customers: all of them are meant. An id
    with its source in front (``shop:10023``) is somebody's, be they in silver or not: a row of
    theirs may be in quarantine.

    Args:
        tables: Where ``silver/customers`` is.
        deployment: Whose sources and key.
        given: Ids, customer keys or their first 12 characters, e-mail addresses, phone numbers.

    Raises:
        UnknownPersonError: Nobody is known by one of them, or the keys of several begin so.
    """
    wanted = [text.strip() for text in given if text.strip()]
    known = _known(tables, wanted)
    people: dict[str, Person] = {}
    unknown = []
    for text in wanted:
        meant = known.get(text) or _named(deployment, text)
        if not meant:
            unknown.append(text)
        people |= {person.customer_key: person for person in meant}
    if unknown:
        sources = listed([f"{source.name}{SEPARATOR}ID" for source in deployment.sources])
        more = f" and {len(unknown) - _SHOWN:,} more" if len(unknown) > _SHOWN else ""
        raise UnknownPersonError(
            f"nobody in {CUSTOMERS} is known by {listed(unknown[:_SHOWN])}{more}: give an id as "
            f"its source states it, a customer key, an e-mail address or a phone number; {sources} "
            "means one who is only in quarantine, too"
        )
    return sorted(people.values(), key=lambda person: (person.source, person.source_customer_id))


def find_forgotten(
    tables: Tables, hashes: Collection[str], secret: Callable[[], bytes]
) -> list[Person]:
    """Who of ``silver/customers`` was forgotten once, and is there again from a backup.

    Args:
        tables: Where the table is.
        hashes: Hashes of what identifies those who were forgotten.
        secret: Gives the secret of the hashes; asked for only where there are some.
    """
    if not hashes or not tables.exists(CUSTOMERS):
        return []
    known, key = set(hashes), secret()
    found = []
    for batch in tables.dataset(CUSTOMERS).to_batches(
        columns=["source", "source_customer_id", "customer_key"]
    ):
        for row in batch.to_pylist():
            kind = f"{row['source']}/{CUSTOMER}"
            if customer_key_of(kind, row["source_customer_id"], key) in known:
                found.append(Person(**row))
    return sorted(found, key=lambda person: (person.source, person.source_customer_id))


def read_list(path: Path) -> list[str]:
    """Who a file names: one a line, as `find_people` takes them; blank lines and # are passed over.

    Raises:
        UnknownPersonError: The file cannot be read, or names nobody.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason, remedy = "expected text in UTF-8", "save it so"
        if isinstance(error, OSError):
            reason, remedy = (error.strerror or str(error)).lower(), "give a file that may be read"
        raise UnknownPersonError(f"--file {path}: {reason}; {remedy}") from None
    names = [line.strip() for line in lines if line.strip() and not line.strip().startswith("#")]
    if not names:
        raise UnknownPersonError(f"--file {path}: it names nobody; name one person a line")
    return names


def _known(tables: Tables, given: Sequence[str]) -> dict[str, list[Person]]:
    """Who is in silver, by what was given."""
    if not given or not tables.exists(CUSTOMERS):
        return {}
    digits = "regexp_replace({}, '[^0-9]', '', 'g')"
    sources = tables.dataset(CUSTOMERS)
    with engine() as connection:
        connection.register("customers", sources)
        texts = sorted(set(given))
        begun = [begun_key(text) for text in texts]
        connection.register(
            "given",
            pa.table({"text": pa.array(texts, pa.string()), "begun": pa.array(begun, pa.string())}),
        )
        rows = connection.execute(
            f"""
            WITH known AS (SELECT source, source_customer_id, customer_key, email, phone
                           FROM customers),
            met AS (
                SELECT 1 AS how, text, known.* FROM given JOIN known ON customer_key = lower(text)
                UNION ALL
                SELECT 2, text, known.* FROM given JOIN known
                    ON source || '{SEPARATOR}' || source_customer_id = text
                UNION ALL
                SELECT 3, text, known.* FROM given JOIN known ON source_customer_id = text
                UNION ALL
                SELECT 3, text, known.* FROM given JOIN known
                    ON lower(source_customer_id) = lower(text) AND contains(text, '@')
                UNION ALL
                SELECT 4, text, known.* FROM given JOIN known ON lower(email) = lower(text)
                UNION ALL
                SELECT 5, text, known.* FROM given JOIN known
                    ON {digits.format("phone")} = {digits.format("text")}
                    AND length({digits.format("text")}) >= 7
                    AND regexp_full_match(text, '[-+0-9 ()./x]+')
                UNION ALL
                SELECT 6, text, known.* FROM given JOIN known ON starts_with(customer_key, begun)
            )
            SELECT DISTINCT text, how, source, source_customer_id, customer_key FROM met
            """
        ).fetchall()
    ways: dict[str, dict[int, list[Person]]] = {}
    for text, how, *person in rows:
        ways.setdefault(text, {}).setdefault(how, []).append(Person(*person))
    people: dict[str, list[Person]] = {}
    for text, meant in ways.items():
        ids = meant.get(_BY_ID, [])
        if len({person.source for person in ids}) > 1:
            named = listed(sorted(f"{p.source}{SEPARATOR}{p.source_customer_id}" for p in ids))
            raise UnknownPersonError(f"{text!r} is an id in several sources: give one of {named}")
        # An address may be an id, too, and both mean the same person; digits may not. How a key
        # begins says least: it may be anybody's id by chance.
        wanted = [how for how in meant if how < _BY_PHONE] or [min(meant)]
        if wanted == [_BY_SHORT_KEY] and len(meant[_BY_SHORT_KEY]) > 1:
            raise UnknownPersonError(
                f"{text!r}: the keys of {len(meant[_BY_SHORT_KEY])} customers begin so; give the "
                "whole key"
            )
        people[text] = [person for how in wanted for person in meant[how]]
    return people


def _named(deployment: Deployment, text: str) -> list[Person]:
    """Who ``source:id`` is, of an active source."""
    source, separator, own_id = text.partition(SEPARATOR)
    if not separator or not own_id or source not in {each.name for each in deployment.sources}:
        return []
    return [Person(source, own_id, customer_key_of(source, own_id, deployment.secret))]
