"""A whole deployment with its tables in an object store is the same as one with a folder."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from datetime import date, timedelta
from io import BytesIO
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from customer360.lakehouse.reading import Tables
from customer360.settings import load_settings
from customer360.sources.synthetic import DefectRates, generate
from customer360.table_names import FORGOTTEN
from customer360_tests.deployments import BIN, PROJECT, content, share_raw, state_home
from customer360_tests.object_store import BUCKET, ObjectStore

FIRST, LAST = date(2024, 1, 1), date(2024, 3, 30)
BEFORE = LAST - timedelta(days=1)
CUSTOMERS = 300
PREFIX = "whole/lakehouse"


def run(home: Path, *arguments: str) -> str:
    """What ``customer360 …`` prints, as a process of its own, which must end well."""
    done = subprocess.run(
        [str(BIN / "customer360"), *arguments, "--home", str(home)],
        cwd=PROJECT,
        env=os.environ | {"COLUMNS": "250", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{arguments}: {done.stderr[-3000:]}"
    assert os.environ["AWS_SECRET_ACCESS_KEY"] not in done.stdout + done.stderr
    return done.stdout


def naming(store: ObjectStore, text: str) -> list[str]:
    """Objects that hold ``text``, former files and logs too; Parquet is unpacked for that."""
    found = []
    for key in store.keys(PREFIX):
        content = store.client.get_object(Bucket=BUCKET, Key=key)["Body"].read()
        if key.endswith(".parquet"):
            content = str(pq.ParquetFile(BytesIO(content)).read().to_pylist()).encode()
        if text.encode() in content:
            found.append(key)
    return found


def assert_equal(ours: Tables, theirs: Tables) -> None:
    names = ours.tables()
    assert names == theirs.tables()
    assert "gold/customer_360" in names
    for name in names:
        left, right = content(ours, name), content(theirs, name)
        assert left == right, (
            name,
            sorted(set(left) - set(right))[:2],
            sorted(set(right) - set(left))[:2],
        )


@pytest.mark.whole
@pytest.mark.integration
@pytest.mark.timeout(7_200)
def test_a_deployment_in_a_store_is_as_one_in_a_folder(
    s3a: None, store: ObjectStore, tmp_path: Path
) -> None:
    raw = tmp_path / "raw"
    defects = DefectRates().scaled(4)
    generate(raw, customers=CUSTOMERS, start=FIRST, end=LAST, seed=11, defects=defects)
    homes = {"folder": tmp_path / "folder", "store": tmp_path / "store"}
    for name, home in homes.items():
        uri = {"lakehouse_uri": store.uri(PREFIX)} if name == "store" else {}
        state_home(home, first=FIRST, last=LAST, **uri)
        share_raw(home, raw)
    folder, bucket = (Tables(load_settings(home).lakehouse_root) for home in homes.values())

    for what in (
        ("run", "--from", str(FIRST), "--to", str(BEFORE)),
        ("run", "--steps", "etl", "--from", str(LAST), "--to", str(LAST)),
    ):
        for name, home in homes.items():
            began, asked = time.monotonic(), store.requests()
            run(home, *what)
            took, requests = time.monotonic() - began, store.requests() - asked
            sys.stdout.write(f"{name}: {' '.join(what)}: {took:.0f} s, {requests:,} requests\n")
        assert_equal(folder, bucket)
    assert not (homes["store"] / "lakehouse").exists()

    home = homes["store"]
    assert "gold/customer_360" in run(home, "tables")
    assert "closes" in run(home, "reconcile")
    assert "S3A jars" in run(home, "doctor")
    row = bucket.select("silver/customers", "email IS NOT NULL AND phone IS NOT NULL", 1)
    person = row.to_pylist()[0]
    customer, email = str(person["source_customer_id"]), str(person["email"])
    assert customer in run(home, "show", "silver/customers", "--where", f"email = '{email}'")
    run(home, "explain", customer)
    run(home, "export", "whales")
    run(home, "privacy", "report", customer)
    assert naming(store, email)

    said = run(home, "privacy", "forget", customer, "--yes")
    assert f"the bucket of {bucket.root}" in said
    assert naming(store, email) == []
    assert "closes" in run(home, "reconcile")
    run(home, "maintain")
    assert {*bucket.tables()} == {*folder.tables(), FORGOTTEN}
