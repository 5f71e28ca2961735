"""What was told before: one file in the home, for the daemon's sensor and for commands alike."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from filelock import FileLock

from customer360.alerts.alert import Alert
from customer360.alerts.channels import Channel

FILE = "alerts.json"
KEPT_SECONDS = 30 * 24 * 3600.0
FIRST_LOOK_SECONDS = 3600.0
"""How far back the first look goes: what failed before alerts were asked for is known by now."""


@dataclass
class Told:
    """What is known of former looks.

    Attributes:
        looked: Up to when runs were looked at, in seconds since 1970.
        data_looked: When the tables were.
        sent: When an alert was sent, by channel and key.
    """

    looked: float
    data_looked: float = 0.0
    sent: dict[str, float] = field(default_factory=dict)

    def needs(self, channel: Channel, alert: Alert, now: float, repeat_seconds: float) -> bool:
        """Whether ``alert`` was not sent by ``channel`` within the last ``repeat_seconds``."""
        last = self.sent.get(_key(channel, alert))
        return last is None or now - last >= repeat_seconds

    def note(self, channel: Channel, alert: Alert, now: float) -> None:
        """Keep that it was sent."""
        self.sent[_key(channel, alert)] = now


@contextmanager
def told(home: Path, now: float) -> Iterator[Told]:
    """What was told before; kept when the block ends, however it ends. One process at a time."""
    file = home / FILE
    home.mkdir(parents=True, exist_ok=True)
    with FileLock(home / f".{FILE}.lock", mode=0o600):
        known = _read(file, now)
        try:
            yield known
        finally:
            known.sent = {
                key: when for key, when in known.sent.items() if now - when < KEPT_SECONDS
            }
            scratch = file.with_suffix(".part")
            scratch.unlink(missing_ok=True)
            handle = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                json.dump(asdict(known), stream)
            scratch.replace(file)


def _read(file: Path, now: float) -> Told:
    try:
        return Told(**json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        # At worst something is told once more.
        return Told(looked=now - FIRST_LOOK_SECONDS)


def _key(channel: Channel, alert: Alert) -> str:
    # Hashed: an alert's key may hold a reason, whose words may quote a row.
    return f"{channel.name} {hashlib.sha256(alert.key.encode()).hexdigest()[:32]}"
