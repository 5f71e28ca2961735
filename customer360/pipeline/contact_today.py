"""Whether a customer may be contacted today, whatever was known when a snapshot was made."""

from __future__ import annotations

from customer360.deployment import Deployment
from customer360.gold.terms import NO_CONTACT
from customer360.lakehouse.reading import Tables
from customer360.pipeline.suppression import is_suppressed, suppression_files
from customer360.settings import Settings
from customer360.table_names import CUSTOMERS


def action_today(settings: Settings, tables: Tables, customer_key: str, action: str) -> str:
    """The next best action of a snapshot, unless the customer refuses by now or is suppressed.

    Args:
        settings: The deployment's, with its suppression list.
        tables: With ``silver/customers``, whose consent is today's.
        customer_key: Whose action it is.
        action: As the snapshot has it.

    Raises:
        SuppressionError: The suppression list cannot be read: it is not known.
    """
    if not tables.exists(CUSTOMERS):
        return action
    customer = tables.find(CUSTOMERS, {"customer_key": customer_key})
    if False in customer.column("marketing_consent").to_pylist():
        return NO_CONTACT
    if not suppression_files(settings):
        return action
    return NO_CONTACT if is_suppressed(Deployment.of(settings), customer) else action
