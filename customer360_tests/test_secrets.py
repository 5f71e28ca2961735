"""The deployment's secrets: made once, whole, and never made again where tables rest on them."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest

from customer360.errors import SettingsError
from customer360.settings import load_settings


def made(home: Path) -> bytes:
    return load_settings(home).kept_secret("warehouse_owner")


def test_processes_that_start_together_make_one(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        secrets = pool.map(made, [tmp_path] * 8)
    assert len(set(secrets)) == 1
    assert len(secrets[0]) == 64
    file = tmp_path / "secrets" / "warehouse_owner"
    assert (file.read_bytes(), file.stat().st_mode & 0o777) == (secrets[0], 0o600)


def test_a_file_that_a_crash_left_empty_is_made_anew(tmp_path: Path) -> None:
    file = tmp_path / "secrets" / "warehouse_owner"
    file.parent.mkdir()
    file.touch()
    assert len(made(tmp_path)) == 64
    assert made(tmp_path) == made(tmp_path)


def test_what_a_crash_left_unfinished_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / ".warehouse_owner.new").write_text("half")
    assert len(made(tmp_path)) == 64


@pytest.mark.parametrize("left", ["empty", "missing"])
def test_a_key_that_customers_were_made_with_is_not_made_again(tmp_path: Path, left: str) -> None:
    settings = load_settings(tmp_path, customer_key_secret=None)
    if settings.customer_key_secret is not None:
        pytest.skip("the secret is given by the environment")
    (tmp_path / "lakehouse" / "silver" / "customers" / "_delta_log").mkdir(parents=True)
    if left == "empty":
        (tmp_path / "secrets").mkdir()
        (tmp_path / "secrets" / "customer_key").touch()
    with pytest.raises(SettingsError, match=f"customer_key is {left}, and silver/customers was"):
        settings.secret()
