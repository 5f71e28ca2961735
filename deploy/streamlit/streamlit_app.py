"""The dashboard as Streamlit Community Cloud starts it, of a clone that is not installed."""

import runpy
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
runpy.run_module("customer360.dashboard.app", run_name="__main__")
