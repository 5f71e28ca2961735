"""Seconds, CPU-seconds and memory of a process and all its descendants, the JVM among them.

The watched process says on its standard output when a measured span begins and ends, and waits
each time until it has been looked at: so a span's CPU and memory are its own, however much the
process did before. Sampling costs the watched process nothing, and is the same for all.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import psutil

MARK = "@@bench "
INTERVAL = 0.1
"""Seconds between two looks at memory."""


class WorkerFailedError(RuntimeError):
    """A measured process ended with an error; the message holds the end of what it said."""


@dataclass
class Span:
    """One measured stretch of a process.

    Attributes:
        seconds: Wall time.
        cpu_seconds: User and system time of the process tree.
        peak_bytes: Largest resident memory of the process tree, its processes added up.
        load: Runnable processes on the machine when the span began (1-minute average).
        facts: What the process reported at the end of the span.
    """

    seconds: float
    cpu_seconds: float
    peak_bytes: int
    load: float
    facts: dict[str, Any] = field(default_factory=dict)


class _Tree:
    """Looks at a process and its descendants."""

    def __init__(self, pid: int) -> None:
        self._root = psutil.Process(pid)
        self._cpu: dict[tuple[int, float], float] = {}
        self._lock = threading.Lock()
        self._resident = 0
        self.peak = 0

    def look(self) -> float:
        """CPU-seconds so far of every process ever seen in the tree; notes memory."""
        with self._lock:
            resident = 0
            try:
                processes = [self._root, *self._root.children(recursive=True)]
            except psutil.NoSuchProcess:
                processes = []
            for process in processes:
                try:
                    with process.oneshot():
                        times = process.cpu_times()
                        resident += process.memory_info().rss
                        key = (process.pid, process.create_time())
                    self._cpu[key] = times.user + times.system
                except (psutil.NoSuchProcess, psutil.ZombieProcess):
                    continue
            # A process that starts another is there twice for a moment, with all its memory.
            self.peak = max(self.peak, min(resident, self._resident))
            self._resident = resident
            return sum(self._cpu.values())


def watch(task: str, arguments: Mapping[str, Any], *, verbose: bool = False) -> dict[str, Span]:
    """Run ``task`` of ``benchmarks.worker`` in a new process and return its spans by name.

    The span ``process`` is always there: the whole process, from its start to its end.

    Raises:
        WorkerFailedError: The process ended with an error.
    """
    command = [sys.executable, "-m", "benchmarks.worker", task, json.dumps(arguments)]
    load = psutil.getloadavg()[0]
    begun = time.perf_counter()
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    tree = _Tree(process.pid)
    over = threading.Event()
    peaks: dict[str, int] = {}
    open_spans: dict[str, tuple[float, float]] = {}

    def sample() -> None:
        while not over.wait(INTERVAL):
            tree.peak = 0
            tree.look()
            for name in (*open_spans, "process"):
                peaks[name] = max(peaks.get(name, 0), tree.peak)

    sampler = threading.Thread(target=sample, daemon=True)
    sampler.start()
    spans: dict[str, Span] = {}
    said: list[str] = []
    try:
        for line in process.stdout:
            if not line.startswith(MARK):
                said.append(line)
                if verbose:
                    sys.stderr.write(line)
                continue
            message = json.loads(line.removeprefix(MARK))
            cpu, name = tree.look(), message["name"]
            if message["event"] == "begin":
                peaks[name] = 0
                open_spans[name] = (cpu, psutil.getloadavg()[0])
            else:
                cpu_before, load_before = open_spans.pop(name)
                spans[name] = Span(
                    seconds=message["seconds"],
                    cpu_seconds=cpu - cpu_before,
                    peak_bytes=peaks[name],
                    load=load_before,
                    facts=message["facts"],
                )
                if verbose:
                    sys.stderr.write(f"{name}: {spans[name]}\n")
            process.stdin.write("\n")
            process.stdin.flush()
        code = process.wait()
    finally:
        over.set()
        if process.poll() is None:
            process.kill()
        sampler.join()
    if code != 0:
        raise WorkerFailedError(f"{task} ended with {code}:\n{''.join(said[-40:])}")
    spans["process"] = Span(
        seconds=time.perf_counter() - begun,
        cpu_seconds=tree.look(),
        peak_bytes=peaks.get("process", 0),
        load=load,
    )
    return spans
