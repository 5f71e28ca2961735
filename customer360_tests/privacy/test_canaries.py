"""People planted in a shop's files, sought in every byte before and after they are forgotten.

The proof behind docs/privacy.md, which it writes its table into where CUSTOMER360_WRITE_DOCS is set
(`make canaries`).
"""

from __future__ import annotations

import os
import random
import socket
import subprocess
from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from customer360.lakehouse.reading import Tables
from customer360.serving.contact_log import all_contacts, mark
from customer360.serving.warehouse import open_warehouse, take_down
from customer360.settings import Settings, load_settings
from customer360_tests.deployments import BIN, PROJECT
from customer360_tests.privacy.every_byte import where_they_stand

pytestmark = [pytest.mark.slow, pytest.mark.integration, pytest.mark.timeout(1800)]

MAPPING = """
name: mill
time_zone: America/Sao_Paulo
currency: BRL
grain: orders
closed: true
files: "*.csv"
columns: {order_id: nr, customer_id: who, occurred_at: at, amount: sum, channel: via,
          payment_type: paid, category: kind, name: name, email: mail, phone: phone,
          address: street, birth_date: born, tax_id: cpf, postal_code: zip, city: town,
          state: state, country: land, marketing_consent: ads}
keep: [note]
"""
HEAD = "nr,who,at,sum,via,paid,kind,name,mail,phone,street,born,cpf,zip,town,state,land,ads,note,x"
FIRST, DAYS, CUSTOMERS = date(2024, 1, 1), 150, 240
CANARIES: Mapping[str, str] = {
    "id": "cnry-000777",
    "name": "Zuleide Canario",
    "e-mail": "zuleide.canario@example.com",
    "phone": "+5511987650001",
    "street": "Rua do Canario 777",
    "birth date": "1977-07-17",
    "tax number": "529.982.247-25",
    "postal code": "01777-077",
    "order number": "Z-777001",
    "e-mail in a channel": "via.canario@example.com",
    "phone in a payment type": "+5511987650002",
    "tax number in a category": "111.444.777-35",
    "name in a note": "para Zulmira Canario",
    "e-mail in an unknown column": "x.canario@example.com",
    "e-mail in a line that cannot be split": "quebrada.canario@example.com",
    "e-mail in a refused row": "recusada.canario@example.com",
}
"""Sixteen kinds of texts that only the planted person has."""

MAY_HOLD = (
    *("lakehouse/bronze/", "lakehouse/quarantine/"),
    *("lakehouse/silver/customers/", "lakehouse/silver/customer_history/", "secrets/"),
)
"""Where personal data is, by docs/privacy.md, while nobody was forgotten."""


def rows_of_others() -> Iterator[str]:
    draw = random.Random(7)
    number = 0
    for customer in range(CUSTOMERS):
        day = draw.randrange(60)
        rate = draw.uniform(0.02, 0.2)
        while day < DAYS:
            number += 1
            at = datetime.combine(FIRST, datetime.min.time()) + timedelta(days=day, hours=10)
            via, paid = draw.choice(["web", "store"]), draw.choice(["card", "pix"])
            kind = draw.choice(["books", "toys", "garden"])
            yield (
                f"O-{number},c-{customer},{at:%Y-%m-%d %H:%M:%S},{draw.uniform(5, 90):.2f},{via},"
                f"{paid},{kind},Person {customer},p{customer}@example.org,+551130{customer:06d},"
                f"Street {customer},1980-01-{customer % 28 + 1:02d},,01310-{customer % 9:03d},"
                f"São Paulo,SP,BR,yes,,"
            )
            day += max(1, round(draw.expovariate(rate)))


def rows_of_the_canary() -> Iterator[str]:
    c = CANARIES
    own = (
        f"{c['name']},{{mail}},{c['phone']},{c['street']},{c['birth date']},{c['tax number']},"
        f"{c['postal code']},Santos,SP,BR,yes,{c['name in a note']},"
        f"{c['e-mail in an unknown column']}"
    )
    for number, day in enumerate(range(5, DAYS, 9)):
        at = f"{FIRST + timedelta(days=day)} 12:00:00"
        via = c["e-mail in a channel"] if number == 1 else "web"
        paid = c["phone in a payment type"] if number == 2 else "pix"
        kind = c["tax number in a category"] if number == 3 else "books"
        order = c["order number"] if number == 0 else f"Z-{number}"
        mine = own.format(mail=c["e-mail"])
        yield f"{order},{c['id']},{at},500.00,{via},{paid},{kind},{mine}"
    refused = own.format(mail=c["e-mail in a refused row"])
    yield f"Z-98,{c['id']},{FIRST} 12:00:00,n/a,web,pix,books,{refused}"
    line = c["e-mail in a line that cannot be split"]
    yield f"Z-99,{c['id']},{FIRST} 12:00:00,1.00,{line},a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("canaries")
    for name in ("raw", "tmp"):
        (folder / name).mkdir()
    (folder / "mill.yaml").write_text(MAPPING, encoding="utf-8")
    lines = [HEAD, *rows_of_others(), *rows_of_the_canary()]
    (folder / "raw" / "orders.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def customer360(place: Path, *arguments: str) -> str:
    """Run a command as a user would, with a temporary folder of its own."""
    done = subprocess.run(
        [str(BIN / "customer360"), *arguments, "--home", str(place / "home")],
        cwd=PROJECT,
        env=os.environ | {"TMPDIR": str(place / "tmp"), "CUSTOMER360_EXPORT_PERSONAL_DATA": "true"},
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def sought(place: Path) -> dict[str, set[str]]:
    """By kind of canary, the files that hold it, in the home and in the temporary folder."""
    texts = set(CANARIES.values()) | {text.lower() for text in CANARIES.values()}
    at_home = where_they_stand(place / "home", texts)
    beside = where_they_stand(place / "tmp", texts)
    return {
        kind: at_home[text] | at_home[text.lower()] | beside[text] | beside[text.lower()]
        for kind, text in CANARIES.items()
    }


def plant_what_a_killed_run_left(place: Path) -> None:
    """Rows in the temporary folder of a process that does not live any more."""
    left = place / "home" / "tmp" / f"{2**22 + 1}~1~{socket.gethostname()}"
    left.mkdir(parents=True)
    (left / "rows.csv").write_text("\n".join(CANARIES.values()), encoding="utf-8")


def mark_as_contacted(settings: Settings, customer_key: str) -> None:
    """Note in the warehouse that somebody was contacted, as the call list does."""
    reader = open_warehouse(settings).reader
    done = mark(
        reader, "whales", FIRST, [customer_key], control_share=0, pause_days=0, control_days=0
    )
    assert done.contacted == (customer_key,)
    take_down(settings)


def contacts(settings: Settings) -> list[tuple[Any, ...]]:
    """Who was contacted."""
    found = all_contacts(open_warehouse(settings).owner)
    take_down(settings)
    return found


def test_sixteen_kinds_of_canaries_are_nowhere_after_they_are_forgotten(place: Path) -> None:
    files = ["--source", "files", "--mapping", str(place / "mill.yaml")]
    customer360(place, "run", *files, "--path", str(place / "raw"))
    before = sought(place)
    assert all(before.values()), {kind for kind, files in before.items() if not files}
    astray = {
        kind: sorted(file for file in files if not file.startswith(MAY_HOLD))
        for kind, files in before.items()
    }
    # The number of an order is nobody's until somebody looks it up: silver has it.
    astray["order number"] = [f for f in astray["order number"] if "/silver/" not in f]
    assert not any(astray.values()), {kind: files for kind, files in astray.items() if files}

    # Copies that hold personal data because somebody asked for them.
    customer360(place, "export", "whales", "--contacts", "plain", "--include-never-asked")
    customer360(place, "privacy", "report", CANARIES["id"])
    asked_for = sought(place)

    settings = load_settings(place / "home")
    (canary,) = (
        Tables(settings.lakehouse_root)
        .find("silver/customers", {"source_customer_id": CANARIES["id"]})["customer_key"]
        .to_pylist()
    )
    mark_as_contacted(settings, canary)
    plant_what_a_killed_run_left(place)

    customer360(place, "privacy", "forget", CANARIES["e-mail"], "--yes")
    after = sought(place)
    assert not any(after.values()), {kind: files for kind, files in after.items() if files}
    assert not where_they_stand(place / "home", [canary])[canary]
    assert contacts(settings) == []

    # The file still holds them: it is its owner's.
    customer360(place, "run", *files, "--path", str(place / "raw"), "--steps", "etl")
    assert not any(sought(place).values())
    if os.environ.get("CUSTOMER360_WRITE_DOCS"):
        _write_table(before, asked_for, after)


def _write_table(*seen: dict[str, set[str]]) -> None:
    page = PROJECT / "docs" / "privacy.md"
    begin, end = "<!-- canaries -->\n", "<!-- /canaries -->\n"
    rows = [
        "| Canary | Files that hold it after a run | with a list and a report asked for | after "
        "`privacy forget` |\n|---|---:|---:|---:|\n",
        *(
            f"| {kind} | {' | '.join(str(len(each[kind])) for each in seen)} |\n"
            for kind in CANARIES
        ),
    ]
    head, _, rest = page.read_text(encoding="utf-8").partition(begin)
    tail = rest.partition(end)[2]
    page.write_text(head + begin + "\n" + "".join(rows) + "\n" + end + tail, encoding="utf-8")
