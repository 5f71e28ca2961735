"""The built-in generator: a shop whose every customer's rates, death and defects are known.

Belongs here: the behaviour (:mod:`~customer360.sources.synthetic.behaviour`), the process that
draws purchases from it, the profiles, the defects, the writing of raw files with their truth
beside them, and the source that reads the raw files. Nothing here knows silver or Dagster.
"""

from customer360.sources.synthetic.behaviour import Behaviour, Cohort
from customer360.sources.synthetic.defects import DefectRates
from customer360.sources.synthetic.generator import generate
from customer360.sources.synthetic.process import customers_for
from customer360.sources.synthetic.source import SyntheticSource
from customer360.sources.synthetic.truth import Manifest, SyntheticDataError, Truth

__all__ = [
    "Behaviour",
    "Cohort",
    "DefectRates",
    "Manifest",
    "SyntheticDataError",
    "SyntheticSource",
    "Truth",
    "customers_for",
    "generate",
]
