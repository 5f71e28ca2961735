"""Options that several benchmarks have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

DriverMemory = Annotated[str, typer.Option(help="Heap of the Spark driver.")]
JsonFile = Annotated[
    Path | None, typer.Option("--json", help="Also write all figures to this file.")
]
Verbose = Annotated[bool, typer.Option("--verbose", help="Show what the measured processes print.")]
