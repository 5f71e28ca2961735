"""A pickle is read where this deployment wrote it, or somebody said that they trust it."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from customer360.models.revenue.model import RevenueModel, RevenueModelError
from customer360.models.sealed import SECRET, is_sealed, write_sealed
from customer360.settings import load_settings
from customer360_tests.deployments import customer360

MODEL = RevenueModel("mean", 91, mean_revenue=80.0, purchase_rate=0.3)
ORDERS = "customer_id,ordered_at,amount\nana,2024-03-01,40.00\n"


class Trap:
    """Makes a file when it is unpickled."""

    def __init__(self, target: str) -> None:
        self.target = target

    def __reduce__(self):
        return (Path.touch, (Path(self.target),))


def test_a_seal_holds_for_these_contents_and_this_secret_alone(tmp_path: Path) -> None:
    file = tmp_path / "models" / "a.pkl"
    write_sealed(file, b"contents", b"secret")
    assert file.read_bytes() == b"contents"
    assert is_sealed(file, b"contents", b"secret")
    assert not is_sealed(file, b"others", b"secret")
    assert not is_sealed(file, b"contents", b"of another deployment")
    assert not is_sealed(file, b"contents", None)
    assert not is_sealed(tmp_path / "b.pkl", b"contents", b"secret")
    assert [path.name for path in sorted(file.parent.iterdir())] == ["a.pkl", "a.pkl.seal"]


def test_what_lies_in_a_strange_pickle_is_not_run(tmp_path: Path) -> None:
    strange = tmp_path / "strange.pkl"
    strange.write_bytes(pickle.dumps(Trap(str(tmp_path / "sprung"))))
    with pytest.raises(RevenueModelError, match="was not written by this deployment"):
        RevenueModel.load(strange, b"secret")
    assert not (tmp_path / "sprung").exists()


def test_predict_wants_to_be_told_to_trust_a_pickle_from_elsewhere(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = load_settings(tmp_path / "home")
    (tmp_path / "orders.csv").write_text(ORDERS)
    (tmp_path / "given.pkl").write_bytes(MODEL.dumps())
    asked = (
        "predict",
        tmp_path / "orders.csv",
        "-o",
        tmp_path / "said.csv",
        "--home",
        settings.home,
    )
    said = customer360(capsys, monkeypatch, *asked, "--model", tmp_path / "given.pkl")
    assert said.code == 1
    (line,) = said.error_lines
    assert "given.pkl was not written by this deployment" in line
    assert "`customer360 predict --trust-pickle`" in line
    trusted = customer360(
        capsys, monkeypatch, *asked, "--model", tmp_path / "given.pkl", "--trust-pickle"
    )
    assert trusted.code == 0, trusted.err
    write_sealed(settings.revenue_pickle, MODEL.dumps(), settings.kept_secret(SECRET))
    own = customer360(capsys, monkeypatch, *asked)
    assert own.code == 0, own.err
    assert "1 customers predicted" in own.out
