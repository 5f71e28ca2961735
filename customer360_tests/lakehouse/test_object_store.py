"""A lakehouse in an object store, without an engine: read, kept up, forgotten in, one home's."""

from __future__ import annotations

import subprocess
import sys
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from customer360.doctor import check_lakehouse
from customer360.errors import Customer360Error, EnvironmentError360
from customer360.home_lock import HomeBusyError, writing
from customer360.lakehouse import jars
from customer360.lakehouse.history import drop_history
from customer360.lakehouse.object_store import (
    OWNER,
    S3A_CREDENTIALS,
    reaching,
    s3a_config,
    storage_options,
)
from customer360.lakehouse.reading import Tables
from customer360.lakehouse.session import session_config
from customer360.lakehouse.upkeep import keep_up
from customer360.pipeline.backup import back_up, read_manifest, restore
from customer360.settings import load_settings, remember
from customer360_tests.deployments import customer360
from customer360_tests.object_store import BUCKET, ObjectStore

TABLE = "silver/customer_days"
AMAZONS = {"AWS_REGION": "eu-central-1"}
ANOTHERS = {"AWS_ENDPOINT_URL": "http://minio:9000", "AWS_SECRET_ACCESS_KEY": "of-somebody"}


def fill(lakehouse: Tables, commits: int = 3) -> Tables:
    """Days of a table, each day a commit; names of customers stand in the statistics."""
    for number in range(commits):
        rows = {"day": [date(2026, 1, 1 + number)], "name": [f"canary{number}"]}
        write_deltalake(
            lakehouse.uri(TABLE),
            pa.table(rows),
            mode="append",
            partition_by=["day"],
            storage_options=lakehouse.storage_options,
        )
    return lakehouse


@pytest.fixture
def lakehouse(store: ObjectStore, request: pytest.FixtureRequest) -> Tables:
    return Tables(store.uri(f"{request.node.name.lower()}/lakehouse"))


def key_of(lakehouse: Tables) -> str:
    return lakehouse.root.removeprefix(f"s3a://{BUCKET}/")


@pytest.fixture
def home(lakehouse: Tables, tmp_path: Path) -> Path:
    remember(tmp_path / "home", {"lakehouse_uri": lakehouse.root})
    return tmp_path / "home"


@pytest.mark.parametrize(
    ("stated", "known"),
    [
        ("s3://shop/lake/", "s3a://shop/lake"),
        ("s3a://shop", "s3a://shop"),
        ("gs://shop/lake", "gs://shop/lake"),
        ("abfss://lake@shop.dfs.core.windows.net/x", "abfss://lake@shop.dfs.core.windows.net/x"),
    ],
)
def test_tables_are_where_the_setting_says(tmp_path: Path, stated: str, known: str) -> None:
    assert load_settings(tmp_path, lakehouse_uri=stated).lakehouse_root == known
    assert load_settings(tmp_path).lakehouse_root == tmp_path / "lakehouse"


@pytest.mark.parametrize(
    ("stated", "why"),
    [
        ("/srv/lake", "must begin with s3a://"),
        ("hdfs://shop/lake", "must begin with s3a://"),
        ("s3a:///lake", "must name a bucket"),
        ("abfss://shop.dfs.core.windows.net/lake", "must be abfss://container@account"),
        ("s3a://AKIAKEY:pass/word@shop/lake", "must have neither keys nor options"),
        ("s3a://AKIAKEY@shop/lake", "must have neither keys nor options"),
        ("gs://shop/lake?access_token=AKIAKEY", "must have neither keys nor options"),
    ],
)
def test_what_is_no_place_for_tables_is_refused_without_its_keys(
    tmp_path: Path, stated: str, why: str
) -> None:
    with pytest.raises(Customer360Error) as refused:
        load_settings(tmp_path, lakehouse_uri=stated)
    said = str(refused.value)
    assert said.startswith("setting lakehouse_uri (")
    assert why in said
    assert not any(hidden in said for hidden in ("\n", "AKIAKEY", "pass/word"))


def test_a_folder_and_amazons_own_store_need_no_endpoint() -> None:
    assert storage_options("/srv/lake", ANOTHERS) == s3a_config("/srv/lake", ANOTHERS) == {}
    assert storage_options("s3a://shop", {}) == {}
    assert storage_options("s3a://shop", AMAZONS) == {"region": "eu-central-1"}
    assert s3a_config("s3a://shop", AMAZONS).keys() == {
        S3A_CREDENTIALS,
        "spark.hadoop.fs.s3a.endpoint.region",
    }


def test_anothers_endpoint_is_told_to_all_and_no_key_to_any() -> None:
    assert storage_options("s3a://shop", ANOTHERS) == {
        "endpoint_url": "http://minio:9000",
        "region": "us-east-1",
        "allow_http": "true",
        "AWS_FORCE_CREDENTIAL_LOAD": "true",
    }
    spark = s3a_config("s3a://shop", ANOTHERS)
    assert spark["spark.hadoop.fs.s3a.endpoint"] == "http://minio:9000"
    assert spark["spark.hadoop.fs.s3a.path.style.access"] == "true"
    assert "of-somebody" not in str(spark)
    # The name for S3 alone wins over that for all of Amazon's services.
    both = ANOTHERS | {"AWS_ENDPOINT_URL_S3": "https://s3.example"}
    assert storage_options("s3a://shop", both)["endpoint_url"] == "https://s3.example"


def test_a_session_for_a_folder_needs_no_jars_of_s3a(tmp_path: Path) -> None:
    assert S3A_CREDENTIALS not in session_config(load_settings(tmp_path))
    assert S3A_CREDENTIALS in session_config(load_settings(tmp_path, lakehouse_uri="s3a://shop"))
    with pytest.raises(
        EnvironmentError360, match=r"run `python -m customer360\.lakehouse\.jars s3a`"
    ):
        jars.require_s3a(tmp_path)


def test_rows_and_logs_are_read_from_a_store(lakehouse: Tables) -> None:
    assert lakehouse.tables() == []
    assert not lakehouse.exists(TABLE)
    fill(lakehouse)
    assert lakehouse.tables() == [TABLE]
    assert lakehouse.rows(TABLE) == 3
    assert lakehouse.newest(TABLE, "day") == date(2026, 1, 3)
    assert lakehouse.find(TABLE, {"name": "canary1"}).num_rows == 1
    assert lakehouse.keeps(TABLE, 1)


def test_a_profile_is_enough(
    lakehouse: Tables, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "credentials").write_text(
        "[shop]\naws_access_key_id = of-a-profile\naws_secret_access_key = kept-there\n"
    )
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_PROFILE", "shop")
    assert fill(lakehouse, 1).tables() == [TABLE]


def test_commands_that_only_look_work_on_a_store(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    lakehouse: Tables,
    home: Path,
) -> None:
    fill(lakehouse)
    said = customer360(capsys, monkeypatch, "tables", "--home", home)
    assert TABLE in said.out, said.err
    said = customer360(
        capsys, monkeypatch, "show", TABLE, "--where", "name = 'canary2'", "--home", home
    )
    assert "canary2" in said.out, said.err
    found = check_lakehouse(lakehouse.root)
    assert (found.status, found.found) == ("ok", f"{lakehouse.root}: 1 table")


def test_what_cannot_be_reached_is_said_in_one_line(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    home: Path,
    store: ObjectStore,
) -> None:
    remember(home, {"lakehouse_uri": "s3a://no-such-bucket/lake"})
    for arguments in (["tables"], ["show", TABLE], ["maintain"]):
        said = customer360(capsys, monkeypatch, *arguments, "--home", home)
        (line,) = said.error_lines
        assert "s3a://no-such-bucket/lake cannot be reached: " in line
        assert "known-to-the-tests" not in line
    found = check_lakehouse("s3a://no-such-bucket/lake")
    assert (found.status, "see whether the bucket" in found.remedy) == ("fail", True)


@pytest.mark.parametrize(
    "root", ["gs://shop/lake", "abfss://shop@account.dfs.core.windows.net/lake"]
)
def test_the_variables_of_amazon_are_named_for_its_kind_of_store_alone(root: str) -> None:
    with (
        pytest.raises(EnvironmentError360, match="denied; see whether the bucket or") as said,
        reaching(root),
    ):
        raise OSError("denied")
    assert "AWS" not in str(said.value)


def test_upkeep_takes_away_what_nobody_needs(lakehouse: Tables, store: ObjectStore) -> None:
    fill(lakehouse)
    some = next(key for key in store.keys(key_of(lakehouse)) if key.endswith(".parquet"))
    left = f"{some.rpartition('/')[0]}/part-of-a-killed-write.parquet"
    store.client.copy_object(Bucket=BUCKET, Key=left, CopySource=f"{BUCKET}/{some}")
    write_deltalake(  # a day again: its former file is past its time at once
        lakehouse.uri(TABLE),
        pa.table({"day": [date(2026, 1, 1)], "name": ["ada"]}),
        mode="overwrite",
        predicate="day = DATE '2026-01-01'",
        storage_options=lakehouse.storage_options,
    )
    done = keep_up(lakehouse, TABLE, optimize_after=1, retention_hours=0)
    assert (done.orphans, done.expired) == (1, 1)
    assert done.after.files_on_disk == done.after.files == 3
    assert left not in store.keys(key_of(lakehouse))
    assert sorted(lakehouse.values(TABLE, "name")) == ["ada", "canary1", "canary2"]


def test_nothing_is_left_of_what_a_table_was(lakehouse: Tables, store: ObjectStore) -> None:
    fill(lakehouse)
    write_deltalake(
        lakehouse.uri(TABLE),
        pa.table({"day": [date(2026, 1, 9)], "name": ["ada"]}),
        mode="overwrite",
        storage_options=lakehouse.storage_options,
    )
    assert b"canary" in store.content(key_of(lakehouse))
    dropped = drop_history(lakehouse, TABLE)
    assert dropped.files == 3
    assert b"canary" not in store.content(key_of(lakehouse))
    assert (lakehouse.version(TABLE), lakehouse.rows(TABLE)) == (3, 1)
    assert len(lakehouse.commits(TABLE)) == 4  # notes of all commits stay


def test_one_home_writes_a_lakehouse_and_another_is_refused(
    lakehouse: Tables, home: Path, tmp_path: Path, store: ObjectStore
) -> None:
    for _ in range(2):
        with writing(home, "test"):
            pass
    other = tmp_path / "other"
    remember(other, {"lakehouse_uri": lakehouse.root})
    with (
        pytest.raises(HomeBusyError, match="written by another home") as refused,
        writing(other, "test"),
    ):
        pytest.fail("two homes write one lakehouse")
    assert str(home) in str(refused.value)
    assert f"delete {lakehouse.root}/{OWNER}" in str(refused.value)
    # When it is gone, whoever says so takes over.
    store.client.delete_object(Bucket=BUCKET, Key=f"{key_of(lakehouse)}/{OWNER}")
    with writing(other, "test"):
        pass
    with pytest.raises(HomeBusyError), writing(home, "test"):
        pass
    assert lakehouse.tables() == []


def test_a_backup_has_the_home_and_says_where_the_tables_are(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    lakehouse: Tables,
    home: Path,
    tmp_path: Path,
) -> None:
    fill(lakehouse)
    with writing(home, "test"):
        back_up(load_settings(home), tmp_path / "first")
    manifest = read_manifest(tmp_path / "first")
    assert manifest.lakehouse == lakehouse.root
    assert manifest.tables == {TABLE: {"version": 2, "rows": 3}}
    assert not any("parquet" in file.path for file in manifest.files)
    said = customer360(capsys, monkeypatch, "backup", tmp_path / "second", "--home", home)
    assert f"the tables are in {lakehouse.root}, and not in it" in said.out, said.err
    new = tmp_path / "restored"
    said = customer360(capsys, monkeypatch, "restore", tmp_path / "second", "--home", new)
    assert f"delete {lakehouse.root}/{OWNER}" in said.out, said.err
    assert Tables(load_settings(new).lakehouse_root).rows(TABLE) == 3
    # A copy is another home: the two must not write at once.
    with pytest.raises(HomeBusyError), writing(new, "test"):
        pass
    restore(tmp_path / "first", tmp_path / "again")


_APPEND = """
import sys
import pyarrow as pa
from deltalake import write_deltalake
from customer360.lakehouse.reading import Tables
tables = Tables(sys.argv[1])
for number in range(10):
    write_deltalake(tables.uri("gold/shared"), pa.table({"writer": [sys.argv[2]]}), mode="append",
                    storage_options=tables.storage_options)
"""


def test_no_commit_of_two_writers_without_an_engine_is_lost(lakehouse: Tables) -> None:
    first = pa.table({"writer": ["first"]})
    write_deltalake(lakehouse.uri("gold/shared"), first, storage_options=lakehouse.storage_options)
    writers = [
        subprocess.Popen([sys.executable, "-c", _APPEND, lakehouse.root, name]) for name in "ab"
    ]
    assert [writer.wait() for writer in writers] == [0, 0]
    assert lakehouse.rows("gold/shared") == 21
