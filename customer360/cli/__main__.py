"""``python -m customer360.cli``."""

from customer360.cli import main

main()
