"""Look the packages of uv.lock up among known vulnerabilities, and see that the lock binds them.

The first needs a network (api.osv.dev, asked by ``uv audit``); where it cannot be reached that is
said, and the second alone decides: every package comes from a registry, and every file of it has
its SHA-256, which installing compares.
"""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
FAILED = 2
"""uv's exit code where it could not do its work; 1 is that it found something."""
UNREACHED = "error sending request for url (https://api.osv.dev/"
"""What it says on stderr where no answer came: no name, no route, or none in time."""


def unbound(lock: Path) -> list[str]:
    """What is wrong with the packages of a lock file, a line each."""
    found = []
    for package in tomllib.loads(lock.read_text(encoding="utf-8"))["package"]:
        source = package["source"]
        if "editable" in source or "virtual" in source:
            continue  # this project itself
        if "registry" not in source:
            found.append(f"{package['name']}: comes from {source}, not from a registry")
        files = [*package.get("wheels", ()), *([package["sdist"]] if "sdist" in package else ())]
        if not files or any(not str(f.get("hash", "")).startswith("sha256:") for f in files):
            found.append(f"{package['name']}: a file has no SHA-256")
    return found


def main() -> int:
    """Exit code 1 where a package is known to be vulnerable or the lock does not bind it."""
    problems = unbound(ROOT / "uv.lock")
    for problem in problems:
        sys.stderr.write(f"error: {problem}\n")
    command = [str(ROOT / "scripts" / "uv"), "audit", "--frozen", "--no-dev"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode == FAILED and UNREACHED in done.stderr:
        sys.stderr.write(
            "known vulnerabilities were not looked up: api.osv.dev cannot be reached from here\n"
        )
        return int(bool(problems))
    sys.stdout.write(done.stdout + done.stderr)
    return int(bool(problems) or done.returncode != 0)


if __name__ == "__main__":
    sys.exit(main())
