"""How a command ends when it is told to: by Ctrl-C, or by SIGTERM from whoever runs it."""

from __future__ import annotations

import os
import shlex
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from customer360.cli import processes

_SIGNALS = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM"}
_WAKE = signal.SIGURG
# A signal can get lost in a library that is just starting.
_AGAIN_SECONDS = 5.0
_GRACE_SECONDS = 20.0
# Of a group's signal and a parent's, which come together, the second asks for nothing more.
_ONE_REQUEST_SECONDS = 1.0


@contextmanager
def stoppable(*, go_on: str | None = None) -> Iterator[None]:
    """Let Ctrl-C and SIGTERM end the command in one line, with exit code 130 or 143.

    Args:
        go_on: The command that finishes what was begun, where running it again does not.

    What runs inside handles signals in its own ways (Dagster turns them into failed steps, Spark
    has a handler of its own), so this one only listens for which came, and speaks when all is over:
    what was started (Spark's Java among it) ends first. The second signal, or a call into a library
    that does not return, ends the process as it stands.

    Raises:
        typer.Exit: A signal came, and the block did not finish.
    """
    watch = _Watch(go_on)
    try:
        yield
    except BaseException:
        stopped_by = watch.end()
        if stopped_by is None:
            raise
        processes.end(processes.started())
        watch.say(stopped_by)
        raise typer.Exit(_exit_code(stopped_by)) from None
    finally:
        watch.end()


class _Watch:
    """Notes the first signal, whoever handles it, and ends the process at need.

    A terminal sends Ctrl-C to all processes that the command has started, too: Dagster's helpers
    would each print a trace. The signals that a thread blocks are blocked in what it starts, so the
    main thread blocks this one, a thread of ours takes it, and wakes the main thread by another.
    """

    def __init__(self, go_on: str | None) -> None:
        self._go_on = go_on
        self._first: signal.Signals | None = None
        self._stderr = os.dup(2)
        self._ends, self._comes = socket.socketpair()
        self._comes.setblocking(False)
        self._thread = threading.Thread(target=self._listen, name="signals", daemon=True)
        self._main = threading.get_ident()
        self._handlers = {
            signal.SIGTERM: signal.signal(signal.SIGTERM, signal.default_int_handler),
            _WAKE: signal.signal(_WAKE, lambda *_: None),
        }
        self._fd_before = signal.set_wakeup_fd(self._comes.fileno(), warn_on_full_buffer=False)
        self._thread.start()
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})

    def end(self) -> signal.Signals | None:
        """Stop listening; the signal that came, if one did. Called again, it says the same."""
        if self._thread.is_alive():
            signal.set_wakeup_fd(self._fd_before)
            self._comes.close()
            self._thread.join()
            self._ends.close()
            for number, handler in self._handlers.items():
                signal.signal(number, handler)
            if self._first is not None:
                # Dagster has put it back after the step.
                _say_no_more()
                for number in _SIGNALS:
                    signal.signal(number, signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        return self._first

    def say(self, number: signal.Signals) -> None:
        """The one line that says what happened."""
        again = shlex.join(["customer360", *sys.argv[1:]])
        then = f"nothing needs to be cleaned up, it can be run again: {again}"
        if self._go_on is not None:
            then = f"what was begun is to be finished: {self._go_on}"
        line = f"stopped by {_SIGNALS[number]}; {then}\n"
        os.write(self._stderr, line.encode())

    def _listen(self) -> None:
        since = 0.0
        again = False
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        while True:
            try:
                received = self._ends.recv(16)
            except TimeoutError:
                if again:
                    self._give_up()
                again = True
                signal.raise_signal(signal.SIGINT)
                self._ends.recv(16)  # what came of that is not the user's second
                self._ends.settimeout(_GRACE_SECONDS)
                signal.pthread_kill(self._main, _WAKE)
                continue
            if not received:
                return
            if not set(received) & set(_SIGNALS):
                continue
            if self._first is None:
                self._first = next(each for each in _SIGNALS if each in received)
                since = time.monotonic()
                self._ends.settimeout(_AGAIN_SECONDS)
                _say_no_more()
            elif time.monotonic() - since > _ONE_REQUEST_SECONDS:
                self._give_up()
            signal.pthread_kill(self._main, _WAKE)

    def _give_up(self) -> None:
        assert self._first is not None
        processes.end(processes.started(), grace_seconds=1)
        self.say(self._first)
        # Not sys.exit: this is not the main thread, and that one does not come back.
        os._exit(_exit_code(self._first))


def _exit_code(number: signal.Signals) -> int:
    return 128 + number


def _say_no_more() -> None:
    """Drop what libraries write on standard error about calls that were cut short: each a trace."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
