"""gold/customer_360: all that is known about a customer in one row, and what to do next."""

from __future__ import annotations

from typing import NamedTuple

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from customer360.contracts import Contract
from customer360.contracts.attributes import attributes_of
from customer360.gold import rfm_segments as rfm
from customer360.gold.high_value import HIGH_VALUE_FROM
from customer360.gold.profiles import with_profile
from customer360.gold.snapshots import Inputs
from customer360.gold.terms import NO_CONTACT, NO_EFFORT, RISK_FROM
from customer360.table_names import (
    CHURN_SCORES,
    CUSTOMER_360,
    CUSTOMERS,
    FEATURES,
    HISTORY,
    LIFETIME_VALUE,
    RFM,
)


class Rule(NamedTuple):
    """When a customer fits all that a rule states (None fits all), its action is theirs."""

    segment: str | None
    high_risk: bool | None
    high_value: bool | None
    action: str
    active: bool | None = None


ACTION_RULES = (
    # Who is about to leave comes first, with effort by what there is to lose; then what suits the
    # segment. Can't Lose Them and At Risk have been silent for so long that a risk adds nothing;
    # Lost customers cost more than they bring, but for those whom the list win_back has. Who bought
    # for the first time just now is won by a second purchase, however few come back.
    Rule(rfm.CANT_LOSE, None, None, "call_in_person"),
    Rule(rfm.AT_RISK, None, True, "win_back_with_offer"),
    Rule(rfm.AT_RISK, None, False, "win_back_by_email"),
    Rule(rfm.HIBERNATING, None, None, "remind_in_season"),
    Rule(rfm.LOST, None, True, "win_back_by_email", active=False),
    Rule(rfm.LOST, None, None, NO_EFFORT),
    Rule(rfm.NEW, None, None, "guide_to_second_purchase"),
    Rule(rfm.PROMISING, None, None, "discount_second_purchase"),
    Rule(None, True, True, "retain_with_offer"),
    Rule(None, True, False, "retain_with_reminder"),
    Rule(rfm.CHAMPIONS, None, None, "reward_and_ask_for_referrals"),
    Rule(rfm.LOYAL, None, True, "offer_premium_products"),
    Rule(rfm.LOYAL, None, False, "offer_bundles"),
    Rule(rfm.POTENTIAL, None, None, "invite_to_loyalty_programme"),
    Rule(rfm.ATTENTION, None, None, "send_limited_offer"),
    Rule(rfm.SLEEPY, None, None, "show_what_is_new"),
)
"""The next best action: the first rule that fits.

High risk is churn_risk "high" (none counts as not high: only active customers have one); high
value is a monetary score of 4 or 5; active is who has a churn_risk. Whoever refused marketing is
not contacted, whatever the rules say; where consent is not known (null), asking for it is left to
the campaign.
"""


def snapshot(given: Inputs) -> DataFrame:
    """``gold/customer_360`` of the dates asked for, with the profiles of then."""
    return customer_360(
        given[FEATURES],
        given[RFM],
        given[CHURN_SCORES],
        given[LIFETIME_VALUE],
        given[HISTORY],
        given[CUSTOMERS],
        time_zone=given.time_zone,
    )


def customer_360(
    features: DataFrame,
    rfm_segments: DataFrame,
    churn_scores: DataFrame,
    lifetime_value: DataFrame,
    customer_history: DataFrame,
    customers: DataFrame,
    *,
    time_zone: str = "UTC",
) -> DataFrame:
    """Join what gold knows of each customer as of a day, and choose the next best action.

    A column of the contract is that of the first table that has it. Attributes are those that the
    contracts of this table and of ``silver/customers`` share, as they
    were valid at the end of the as-of day where the history has them; a customer whose history
    begins later than that has the earliest ones known.

    Args:
        features: ``gold/customer_features``: says which customers and as-of dates there are.
        rfm_segments: ``gold/rfm_segments`` of these dates.
        churn_scores: ``gold/churn_scores``; customers without a row have nulls.
        lifetime_value: ``gold/lifetime_value``; customers without a row have nulls.
        customer_history: ``silver/customer_history``; versions must not overlap.
        customers: ``silver/customers``, for attributes without a history.
        time_zone: Where the business's days begin and end.

    Returns:
        The columns of its contract, one row an ``as_of`` and ``customer_key``; no personal data.
        ``churn_risk`` and ``value_at_stake`` are of active customers, those with a churn score.
    """
    key, columns = ["as_of", "customer_key"], Contract.load(CUSTOMER_360).column_names
    rows = features.select(*(name for name in columns if name in features.columns))
    read = (*columns, *_LEAVING)
    for table in (rfm_segments, churn_scores, lifetime_value):
        more = [name for name in read if name in table.columns and name not in rows.columns]
        rows = rows.join(table.select(*key, *more), key, "left")
    rows = _with_leaving(rows)
    attributes = attributes_of(CUSTOMER_360)
    dated = [name for name in attributes if name in attributes_of(HISTORY)]
    rows = with_profile(
        rows, customer_history, dated, time_zone=time_zone, earliest_counts_from_ever=True
    )
    undated = [name for name in attributes if name not in dated]
    rows = rows.join(customers.select("customer_key", *undated), "customer_key", "left")
    return rows.withColumn("next_best_action", next_best_action()).select(*columns)


_LEAVING = ("risk", "revenue_if_kept_365d", "leaving_share_365d")
"""What leaving is told by beside the table's own columns."""


def _with_leaving(rows: DataFrame) -> DataFrame:
    """With the risk class and the value at stake of who is active."""
    # Scores of a release that knew less have fewer columns.
    known = {"has_left", "overdue", "expected_gap_days", *_LEAVING[1:]}
    absent = sorted(known.difference(rows.columns))
    # Spark Connect takes no empty `withColumns`.
    rows = rows.select("*", *(F.lit(None).cast("double").alias(name) for name in absent))
    active = F.col("churn_probability").isNotNull()
    by_left = F.lit(None).cast("string")
    for risk, least in reversed(RISK_FROM.items()):
        by_left = F.when(F.col("has_left") >= least, F.lit(risk)).otherwise(by_left)
    lost = F.col("revenue_if_kept_365d") * F.col("leaving_share_365d")
    return rows.withColumns(
        {
            "churn_risk": F.when(active, F.coalesce(by_left, F.col("risk"))),
            "value_at_stake": F.when(active, lost),
        }
    )


def next_best_action() -> Column:
    """The action of a row with ``segment``, ``churn_risk``, ``m_score``, ``marketing_consent``."""
    high_risk = F.coalesce(F.col("churn_risk") == "high", F.lit(False))
    high_value = F.coalesce(F.col("m_score") >= HIGH_VALUE_FROM, F.lit(False))
    action = F.when(~F.col("marketing_consent"), F.lit(NO_CONTACT))
    for rule in ACTION_RULES:
        fits = F.lit(True)
        if rule.segment is not None:
            fits &= F.col("segment") == rule.segment
        if rule.high_risk is not None:
            fits &= high_risk == rule.high_risk
        if rule.high_value is not None:
            fits &= high_value == rule.high_value
        if rule.active is not None:
            fits &= F.col("churn_risk").isNotNull() == F.lit(rule.active)
        action = action.when(fits, F.lit(rule.action))
    return action
