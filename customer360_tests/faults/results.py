"""What came of the faults so far: a line each, with the version of the code it was put to."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from customer360_tests.faults.company import Difference
from customer360_tests.faults.faults import Fault, Result

RESULTS = Path(__file__).with_name("results.jsonl")


def note(file: Path, fault: Fault, version: str, result: Result | None) -> None:
    """Add what came of a fault; None: it did not happen."""
    stated = {"name": fault.name, "version": version, "result": result and asdict(result)}
    with file.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(stated, ensure_ascii=False) + "\n")


def names(file: Path) -> set[str]:
    """Of all faults that were put."""
    return {json.loads(line)["name"] for line in _lines(file)}


def versions(file: Path) -> Counter[str]:
    """How many faults were put to each version, the oldest first."""
    stated = (json.loads(line) for line in _lines(file))
    return Counter(each["version"] for each in stated if each["result"] is not None)


def read(file: Path) -> Iterator[tuple[str, Result | None]]:
    """Names of faults, and what came of them."""
    for line in _lines(file):
        stated = json.loads(line)
        result = stated["result"]
        if result is not None:
            difference = result.pop("difference")
            difference["tables"] = tuple(difference["tables"])
            result = Result(**result, difference=Difference(**difference))
        yield stated["name"], result


def _lines(file: Path) -> list[str]:
    return file.read_text(encoding="utf-8").splitlines() if file.exists() else []
