"""What a fault is, and how one is put to a company and survived."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from customer360.errors import Customer360Error
from customer360.machine_failures import in_other_words
from customer360.settings import Settings
from customer360_tests.deployments import PROJECT, plain
from customer360_tests.faults.company import Company, Difference, Step, do_here
from customer360_tests.faults.victim import Accident

KILLED = "killed"
WENT_ON = "went on"

_SECONDS = 600


class NotInjectedError(Exception):
    """The fault did not happen: the run was over before, or this machine cannot make it happen."""


@dataclass(frozen=True)
class Night:
    """One home, and the step that is run in it.

    Attributes:
        company: Whose home it is.
        settings: The home's.
        step: The step.
    """

    company: Company
    settings: Settings
    step: Step

    @property
    def lakehouse(self) -> Path:
        return Path(self.settings.lakehouse_root)

    def accident(self, what: str, moment: str, table: str, nth: int = 1) -> Accident:
        """One that happens at a commit of ``table``."""
        return Accident(what, moment, table, nth, str(self.lakehouse))

    def assert_equal(self) -> None:
        """The step is done as if nothing had happened."""
        difference = self.company.difference(self.company.seen_anew(), self.step)
        assert difference == Difference(), difference

    def run(self) -> str:
        """Run the step here.

        Returns:
            How it ended: `WENT_ON`, or what it says.
        """
        try:
            do_here(self.settings, self.step)
        except Exception as error:
            told = in_other_words(error)  # as the command does at its end
            if not isinstance(told, Customer360Error):
                raise
            said = str(told)
        else:
            return WENT_ON
        assert len(said.splitlines()) == 1, said
        return said

    def start(
        self,
        accident: Accident | None = None,
        *,
        limits: Callable[[], None] | None = None,
        **environment: str,
    ) -> subprocess.Popen[str]:
        """Run the step in a process of its own, by the command."""
        entry = ["-m", "customer360_tests.faults.victim"] if accident else ["-m", "customer360.cli"]
        return subprocess.Popen(
            [sys.executable, *entry, *self.step.typed(self.settings)],
            cwd=PROJECT,
            env=os.environ | (accident.environment if accident else {}) | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            preexec_fn=limits,
        )

    def process(
        self,
        accident: Accident | None = None,
        *,
        limits: Callable[[], None] | None = None,
        **environment: str,
    ) -> str:
        """Run the step in a process of its own, to its end.

        Returns:
            How it ended: `KILLED`, `WENT_ON`, or what it says.

        Raises:
            AssertionError: It printed a trace, did not say in one line why it failed, or did not
                end.
        """
        return ended(self.start(accident, limits=limits, **environment))


def ended(process: subprocess.Popen[str]) -> str:
    """How a process ended, when it has.

    Raises:
        AssertionError: It printed a trace, or did not end.
    """
    try:
        printed, _ = process.communicate(timeout=_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise AssertionError(f"did not end in {_SECONDS} s") from error
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    if process.returncode == -signal.SIGKILL:
        return KILLED
    if process.returncode == 0:
        return WENT_ON
    lines = [line for line in plain(printed).splitlines() if line.strip()]
    traced = [line for line in lines if _OF_A_TRACE.search(line)]
    assert not traced, f"a trace was printed: {traced[:3]}"
    last = [line for line in lines if line.startswith(_LAST_WORDS)]
    assert len(last) == 1, f"exit code {process.returncode}, and not one last word: {lines[-3:]}"
    return last[0].removeprefix("error: ")


_OF_A_TRACE = re.compile(r"^Traceback|^\s+at \S+\(|^Caused by|Exception in thread|^  File \"")
_LAST_WORDS = ("error: ", "stopped by ")


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong.

    Attributes:
        kind: What, as the page names it.
        step: In which step.
        where: Where in the step.
        inject: Puts it to a night and takes it away again.

            Returns:
                How the run ended.

            Raises:
                NotInjectedError: It did not happen.
        on: Another disk that the home is on.
    """

    kind: str
    step: Step
    where: str
    inject: Callable[[Night], str] = field(repr=False)
    on: Path | None = None

    @property
    def name(self) -> str:
        return f"{self.kind}; {self.step.name}: {self.where}"


@dataclass(frozen=True)
class Result:
    """What came of a fault.

    Attributes:
        kind: What went wrong.
        where: In which step, and where there.
        ended: How the disturbed run ended.
        problem: Why the fault was not survived; empty where it was.
        difference: After the step was run again.
        seconds: Of all of it.
    """

    kind: str
    where: str
    ended: str
    problem: str
    difference: Difference
    seconds: float

    @property
    def survived(self) -> bool:
        return not self.problem and self.difference == Difference()


def survive(company: Company, fault: Fault) -> Result | None:
    """Put ``fault`` to ``company``, run the step again, and compare; None: it did not happen."""
    begun = time.monotonic()
    night = Night(company, company.before(fault.step, on=fault.on), fault.step)
    how, problem, difference = "", "", Difference()
    try:
        how = fault.inject(night)
        settings = company.seen_anew()
        do_here(settings, fault.step)
        difference = company.difference(settings, fault.step)
    except NotInjectedError:
        return None
    except Exception as error:  # noqa: BLE001 - which is what this is to find
        problem = f"{type(error).__name__}: {' '.join(str(error).split())}"
    where = f"{fault.step.name}: {fault.where}"
    how, problem = (_anywhere(text, company) for text in (how, problem))
    return Result(fault.kind, where, how, problem, difference, round(time.monotonic() - begun, 1))


def _anywhere(text: str, company: Company) -> str:
    """``text`` without the folder that this company happens to be in."""
    return re.sub(rf"{re.escape(str(company.folder))}/(home\d*|real)", "/…", text)
