"""What ``dagster`` loads: ``dagster dev -w workspace.yaml`` or ``-m customer360.definitions``."""

from customer360.modes import only_for_owner
from customer360.orchestration.build import build_definitions

only_for_owner()
defs = build_definitions()
