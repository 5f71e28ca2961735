"""What ``dagster`` loads: ``dagster dev -w workspace.yaml`` or ``-m customer360.definitions``."""

from customer360.orchestration.build import build_definitions

defs = build_definitions()
