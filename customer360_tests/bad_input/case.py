"""A bad input: what is wrong, how it is made, who meets it, and what is said."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

Content = str | bytes | Callable[[], bytes]
"""Of a file; a function where it is large or made by a library."""

MAPPING = "shop.yaml"
"""The mapping's file, in the folder that a case runs in."""

FOLDER = "/…"
"""What stands in a message for the absolute path of the folder that the command runs in."""


def nothing_else(folder: Path) -> AbstractContextManager[object]:
    """What most cases make beside their files."""
    return nullcontext()


@dataclass(frozen=True)
class Case:
    """One bad input, and the line that its user gets.

    Attributes:
        id: Of the test.
        wrong: What is wrong, in a few words of Markdown.
        says: The whole line behind ``error: ``. `FOLDER` stands for the folder.
        command: What the user types behind ``customer360``, in a folder of its own; or nothing.
        files: What lies there, by path.
        environment: Variables that are set.
        function: What meets it instead, given the folder: it raises the error.
        make: What else there is while the command runs.
        needs: Fixtures of the whole suite that it is met with: ``spark`` where a session is asked.
        code: Exit code: 1, or 2 where the command was not typed as `--help` says.
    """

    id: str
    wrong: str
    says: str
    command: tuple[str, ...] = ()
    files: Mapping[str, Content] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    function: Callable[[Path], object] | None = None
    make: Callable[[Path], AbstractContextManager[object]] = nothing_else
    needs: tuple[str, ...] = ()
    code: int = 1

    def lay_out(self, folder: Path) -> None:
        """Write the files."""
        for name, content in self.files.items():
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            made = content() if callable(content) else content
            file.write_bytes(made.encode() if isinstance(made, str) else made)


@dataclass(frozen=True)
class Group:
    """Cases of one kind, as the page shows them.

    Attributes:
        title: Heading.
        intro: What is said above them.
        cases: The cases.
        by: The command that meets most of them, as the page writes it; the others are named.
    """

    title: str
    intro: str
    cases: tuple[Case, ...]
    by: str = ""

    def is_usual(self, case: Case) -> bool:
        """Whether the case is met by the group's command."""
        return case.command[:2] == tuple(self.by.split()[:2])


def heard(text: str, folder: Path) -> str:
    """A message as a case states it: without what is different each time."""
    text = text.replace(str(folder), FOLDER)
    # How small, and how far it is read, is zlib's and Python's affair.
    text = re.sub(r"\ba file of [\d,]+ bytes that unpacks", "a file of … bytes that unpacks", text)
    text = re.sub(r"\bfound [\d,]+ bytes and more", "found … bytes and more", text)
    text = re.sub(r"\bprocess \d+", "process …", text)
    text = re.sub(r"\bdatabase \S*/shop_\d+", "database …/shop", text)
    return re.sub(r"\bsince \d{4}-\d\d-\d\d \d\d:\d\d:\d\d \w+", "since …", text)


LEFT_ALONE = frozenset({"tmp", "writing.lock", "writing.json", ".lock"})
"""Of a home: temporary files, and what is held while it is written."""


def files_in(folder: Path) -> dict[str, bytes]:
    """Every file below ``folder`` with its bytes, to see that none was written."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not set(path.relative_to(folder).parts) & LEFT_ALONE
    }
