"""A command that something happens to: ``python -m customer360_tests.faults.victim run --steps …``.

What, is said by the environment: `VARIABLE` holds an `Accident` as JSON.
"""

from __future__ import annotations

import functools
import importlib
import itertools
import json
import os
import signal
import sys
import threading
import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from customer360.lakehouse.delta_log import LOG_FOLDER

VARIABLE = "CUSTOMER360_TESTS_ACCIDENT"
_POLL_SECONDS = 0.0005


@dataclass(frozen=True)
class Accident:
    """What happens to the process, and when.

    Attributes:
        what: ``kill`` it and all it has started; ``kill java``; ``fill java``: Java's memory runs
            out; ``SIGINT``, ``SIGTERM``; ``pause``: it is slow.
        moment: ``before`` a commit; ``in``: files of data are written, the commit is not;
            ``after``.
        table: Whose commit.
        nth: Which of the table's commits, or of the calls, from 1.
        lakehouse: Where the tables are.
        call: Instead of a commit, the call of a function: ``module:name``, or
            ``module:Class.name``, as whoever calls it finds it.
    """

    what: str
    moment: str
    table: str
    nth: int
    lakehouse: str
    call: str = ""

    @classmethod
    def at_call(cls, moment: str, call: str, nth: int = 1) -> Accident:
        """SIGKILL before or after a function's ``nth`` call."""
        return cls("kill", moment, "", nth, "", call)

    @property
    def environment(self) -> dict[str, str]:
        """What tells the process of it."""
        return {VARIABLE: json.dumps(asdict(self))}


def happen(what: str) -> None:
    """Let the accident happen to this process."""
    if what == "kill":
        os.killpg(0, signal.SIGKILL)
    elif what == "kill java":
        for child in psutil.Process().children(recursive=True):
            if child.name() == "java":
                child.kill()
    elif what == "fill java":
        from pyspark.sql import SparkSession

        session = SparkSession.getActiveSession()
        assert session is not None
        text = "repeat('memory', 1000 * 1000)"
        session.sql(f"SELECT collect_list(concat({text}, id)) FROM range(100000)").collect()
    elif what == "pause":
        time.sleep(8)
    else:
        os.kill(os.getpid(), signal.Signals[what])


def _files(folder: Path) -> set[Path]:
    """Of data: the log has files of the same kind, which come after the commit."""
    return {each for each in folder.rglob("*.parquet") if LOG_FOLDER not in each.parts}


def _when_files_come(folder: Path, what: str) -> None:
    before = _files(folder)

    def watch() -> None:
        while not _files(folder) - before:
            time.sleep(_POLL_SECONDS)
        happen(what)

    threading.Thread(target=watch, daemon=True).start()


def found(call: str) -> tuple[Any, str]:
    """What holds the function that an accident's ``call`` names, and the function's name there."""
    module, _, path = call.partition(":")
    holder: Any = importlib.import_module(module)
    *classes, name = path.split(".")
    for each in classes:
        holder = getattr(holder, each)
    return holder, name


def _around(accident: Accident) -> None:
    """Let the accident happen before or after a call of its function."""
    holder, name = found(accident.call)
    function, calls = getattr(holder, name), itertools.count(1)

    @functools.wraps(function)
    def instead(*args: Any, **kwargs: Any) -> Any:
        now = next(calls) == accident.nth
        if now and accident.moment == "before":
            happen(accident.what)
        result = function(*args, **kwargs)
        if now and accident.moment == "after":
            happen(accident.what)
        return result

    setattr(holder, name, instead)


def main() -> None:
    """Run the command of the arguments, with the accident listening."""
    from customer360 import cli
    from customer360.lakehouse.commits import Moment, listening

    accident = Accident(**json.loads(os.environ.pop(VARIABLE)))
    if accident.call:
        _around(accident)
        cli.main()
        return
    seen: Counter[Moment] = Counter()

    def listener(moment: Moment, table: str) -> None:
        if table != accident.table:
            return
        seen[moment] += 1
        if seen[moment] != accident.nth:
            return
        if accident.moment == moment:
            happen(accident.what)
        elif accident.moment == "in" and moment is Moment.BEFORE:
            _when_files_come(Path(accident.lakehouse) / table, accident.what)

    with listening(listener):
        cli.main()


if __name__ == "__main__":
    sys.argv[0] = "customer360"
    main()
