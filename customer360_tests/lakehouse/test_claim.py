"""One home writes a lakehouse: not another, and not a copy of it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from customer360.errors import EnvironmentError360
from customer360.home_lock import HomeBusyError
from customer360.lakehouse import object_store
from customer360.lakehouse.object_store import FIRST_CLAIM_SECONDS, HOME_ID, OWNER, claim
from customer360.settings import write_whole


@pytest.fixture
def root(tmp_path: Path) -> str:
    (tmp_path / "lakehouse").mkdir()
    return str(tmp_path / "lakehouse")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def claimed(root: str, home: Path) -> None:
    claim(root, home, pause=lambda seconds: None)


def refused(root: str, home: Path) -> str:
    with pytest.raises(HomeBusyError) as said:
        claimed(root, home)
    assert "\n" not in str(said.value)
    return str(said.value)


def note(root: str) -> Path:
    return Path(root, OWNER)


def behind(root: str, home: Path, tmp_path: Path) -> Path:
    """A copy of ``home``, which has written since."""
    copy = tmp_path / "copy"
    shutil.copytree(home, copy)
    claimed(root, home)
    return copy


def test_a_home_goes_on_where_it_was_and_waits_for_others_once(root: str, home: Path) -> None:
    waited: list[float] = []
    for _ in range(3):
        claim(root, home, pause=waited.append)
    assert waited == [FIRST_CLAIM_SECONDS]


def test_of_two_copies_the_second_to_write_is_refused(
    root: str, home: Path, tmp_path: Path
) -> None:
    claimed(root, home)
    said = refused(root, behind(root, home, tmp_path))
    assert f"{root} is written by another copy of this home, {home} on " in said
    assert f"delete {note(root)}" in said
    # The copy goes on where it is the first.
    other = tmp_path / "other"
    shutil.copytree(home, other)
    claimed(root, other)
    assert str(other) in refused(root, home)
    claimed(root, other)


def test_the_copy_that_is_refused_goes_on_when_the_note_is_deleted(
    root: str, home: Path, tmp_path: Path
) -> None:
    claimed(root, home)
    copy = behind(root, home, tmp_path)
    refused(root, copy)
    note(root).unlink()
    claimed(root, copy)
    claimed(root, copy)
    refused(root, home)


def test_a_home_that_is_renamed_goes_on(root: str, home: Path, tmp_path: Path) -> None:
    claimed(root, home)
    moved = home.rename(tmp_path / "moved")
    claimed(root, moved)
    assert json.loads(note(root).read_text())["home"] == str(moved)


def test_a_home_goes_on_after_crashes_between_its_own_token_and_the_note(
    root: str, home: Path, tmp_path: Path
) -> None:
    claimed(root, home)
    before = note(root).read_text()
    for _ in range(3):
        claimed(root, home)
        note(root).write_text(before)
    refused(root, behind(root, home, tmp_path))


def test_a_home_goes_on_when_a_store_that_lost_the_note_for_a_while_has_it_again(
    root: str, home: Path
) -> None:
    claimed(root, home)
    before = note(root).read_text()
    for _ in range(3):
        note(root).unlink()
        claimed(root, home)
    note(root).write_text(before)
    claimed(root, home)


def test_a_home_goes_on_where_it_wrote_before_it_wrote_elsewhere(
    root: str, home: Path, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    claimed(root, home)
    for _ in range(3):
        claimed(str(elsewhere), home)
    claimed(root, home)
    # And where its lakehouse was copied to, with the note.
    shutil.copytree(root, tmp_path / "moved")
    claimed(str(tmp_path / "moved"), home)


@pytest.mark.parametrize(
    "text",
    ["", "not JSON", "[]", "{}", '{"home": "/srv", "host": "a"}', b"\xff\xfe".decode("latin-1")],
)
def test_what_is_no_note_of_a_home_is_said_in_a_line(root: str, home: Path, text: str) -> None:
    note(root).write_text(text, encoding="latin-1")
    line = f"{note(root)} is no note of a home; delete it if no other home writes there"
    with pytest.raises(EnvironmentError360) as said:
        claimed(root, home)
    assert str(said.value) == line
    note(root).unlink()
    claimed(root, home)
    (home / HOME_ID).write_text(text, encoding="latin-1")
    with pytest.raises(EnvironmentError360, match="does not say by what a lakehouse knows this"):
        claimed(root, home)


def test_of_two_homes_that_find_no_note_at_once_one_goes_on(
    root: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both look before either has written, and both have written before either reads again."""
    looked, written = Barrier(2, timeout=30), Barrier(2, timeout=30)
    monkeypatch.setattr(object_store, "write_whole", _after(looked, write_whole))

    def came(home: Path) -> bool:
        try:
            claim(root, home, pause=lambda seconds: written.wait())
        except HomeBusyError:
            return False
        return True

    # Names of one length: a file, unlike an object, keeps the end of a longer note.
    homes = [tmp_path / "one", tmp_path / "two"]
    with ThreadPoolExecutor(2) as both:
        assert sorted(both.map(came, homes)) == [False, True]
    stands = json.loads(note(root).read_text())["home"]
    monkeypatch.undo()
    for each in homes:
        if str(each) == stands:
            claimed(root, each)
        else:
            refused(root, each)


def _after(barrier: Barrier, write: Callable[[Path, str], None]) -> Callable[[Path, str], None]:
    def waited(file: Path, text: str) -> None:
        barrier.wait()
        write(file, text)

    return waited
