"""One customer, explained: what the newest snapshot says of them, and why."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from customer360.errors import Customer360Error, listed
from customer360.lakehouse.reading import Tables, plain_rows
from customer360.models.explanation import Explanation, ScoredCustomer
from customer360.models.registry import models_by_title
from customer360.models.spec import ModelSpec
from customer360.settings import Settings
from customer360.short_keys import begun_key
from customer360.table_names import AS_OF, CUSTOMER_360

if TYPE_CHECKING:
    from customer360.models.tracking import Champion

_KEY = re.compile("[0-9a-f]{64}")


class UnknownCustomerError(Customer360Error):
    """There is no such customer in the snapshot; the message says what was looked for."""


@dataclass(frozen=True)
class ExplainedCustomer:
    """What is known of one customer at the end of a day.

    Attributes:
        customer_key: Their pseudonym.
        as_of: Day of the snapshot.
        summary: Row of ``gold/customer_360``; its next best action as it may be proposed today.
        unknown: Why no action is proposed, where that is not known; else None.
        by_model: What each model says of them, by its name; without those that say nothing.
    """

    customer_key: str
    as_of: date
    summary: dict[str, Any]
    by_model: dict[str, Explanation]
    unknown: str | None = None

    def stated(self) -> dict[str, Any]:
        """All of it as JSON holds it, but for the decoration of a terminal."""
        return {
            "customer_key": self.customer_key,
            "as_of": self.as_of,
            "summary": self.summary,
            "no_action_because": self.unknown,
            "models": {
                name: {
                    "headline": each.headline,
                    "scores": each.scores,
                    "details": each.table,
                    "notes": each.lines,
                }
                for name, each in self.by_model.items()
            },
        }


def explain_customer(
    settings: Settings, customer: str, *, source: str | None = None, as_of: date | None = None
) -> ExplainedCustomer:
    """Explain the scores of one customer.

    Args:
        settings: The deployment's.
        customer: Their key, its first 12 characters or more, or their id in a source.
        source: That source; needed only where several are active.
        as_of: Day of the snapshot; the newest when not given.

    Raises:
        UnknownCustomerError: The snapshot does not have them.
        TableNotFoundError: There is no snapshot at all.
    """
    tables = Tables(settings.lakehouse_root)
    tables.require(CUSTOMER_360)
    if as_of is None:
        as_of = tables.newest(CUSTOMER_360, AS_OF)
    if as_of is None:
        raise UnknownCustomerError(f"{CUSTOMER_360} has no rows: run `customer360 run` first")
    key = _begun_with(tables, customer, as_of) or _key(settings, customer, source)
    summary = _row(tables, CUSTOMER_360, key, as_of)
    if summary is None:
        raise UnknownCustomerError(
            f"no customer {customer!r} in {CUSTOMER_360} of {as_of}: give a customer_key of that "
            "table, or an id as its source states it; who has not bought by then is not in it"
        )
    explanations = {
        spec.name: _explanation_by(settings, tables, spec, key, as_of)
        for spec in models_by_title().values()
    }
    by_model = {name: each for name, each in explanations.items() if each is not None}
    # A mistake is told before what reads files is loaded.
    from customer360.pipeline.contact_today import action_today
    from customer360.serving.suppression import SuppressionError

    action: str | None = None
    unknown = None
    try:
        action = action_today(settings, tables, key, summary["next_best_action"])
    except SuppressionError as error:
        unknown = f"no action is proposed while it is not known who is suppressed: {error}"
    return ExplainedCustomer(key, as_of, summary | {"next_best_action": action}, by_model, unknown)


def _explanation_by(
    settings: Settings, tables: Tables, spec: ModelSpec[Any], key: str, as_of: date
) -> Explanation | None:
    """What a model says of a customer; nothing where it has never scored."""
    if not tables.exists(spec.scores):
        return None

    def champion() -> Champion[Any]:
        from customer360.models.tracking import noted_champion
        from customer360.pipeline.run_models import tracking_of

        return noted_champion(spec, tracking_of(settings))

    of_customer = {AS_OF: as_of, "customer_key": key}
    return spec.explain(
        ScoredCustomer(
            _row(tables, spec.scores, key, as_of),
            lambda table: tables.find(table, of_customer),
            champion,
        )
    )


def _begun_with(tables: Tables, customer: str, as_of: date) -> str | None:
    """The key that begins as the pages show it; None where none does, or nothing is shortened."""
    begun = begun_key(customer)
    if begun is None:
        return None
    where = f"{AS_OF} = DATE '{as_of}' AND starts_with(customer_key, '{begun}')"
    keys = tables.select(CUSTOMER_360, where, 2)["customer_key"].to_pylist()
    if len(keys) > 1:
        raise UnknownCustomerError(
            f"customer {customer!r}: several keys of {CUSTOMER_360} begin so; give the whole key"
        )
    return keys[0] if keys else None


def _key(settings: Settings, customer: str, source: str | None) -> str:
    if _KEY.fullmatch(customer):
        return customer
    from customer360.deployment import Deployment
    from customer360.silver.keys import customer_key_of

    deployment = Deployment.of(settings)
    names = [each.name for each in deployment.sources]
    if source is None and len(names) > 1:
        raise UnknownCustomerError(
            f"customer {customer!r}: several sources are active, {listed(names)}; say which one "
            "by --source"
        )
    if source is not None and source not in names:
        raise UnknownCustomerError(f"--source {source}: the active sources are {listed(names)}")
    return customer_key_of(source or names[0], customer, deployment.secret)


def _row(tables: Tables, table: str, key: str, as_of: date) -> dict[str, Any] | None:
    rows = plain_rows(tables.find(table, {AS_OF: as_of, "customer_key": key}))
    return rows[0] if rows else None
