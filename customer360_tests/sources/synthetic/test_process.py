"""The process is the BG/NBD and Gamma-Gamma that it says it is."""

import json
from dataclasses import asdict
from datetime import date

import numpy as np
import pytest
from lifetimes import BetaGeoFitter, GammaGammaFitter

from customer360.sources.synthetic.behaviour import (
    Behaviour,
    BehaviourError,
    Cohort,
)
from customer360.sources.synthetic.process import Process, customers_for
from customer360.sources.synthetic.season import ShopTime

START, END = date(2024, 1, 1), date(2025, 12, 31)
N = 40_000
# Four standard deviations of the fits, as seen over twenty seeds: 1.1, 1.5, 3.5 and 5.0 %.
TOLERANCE = {"r": 0.045, "alpha": 0.06, "a": 0.14, "b": 0.20}


def drawn(behaviour, n=N, seed=5):
    clock = ShopTime(START, END, behaviour.seasonality)
    return Process(behaviour, clock).draw(np.random.default_rng(seed), 1, n)


def fitted(frequency, recency, T):
    """BG/NBD parameters by lifetimes, in days; fitted in weeks, near its starting values."""
    found = dict(BetaGeoFitter().fit(frequency, recency / 7, T / 7).params_)
    return found | {"alpha": found["alpha"] * 7}


def in_shop_time(customers):
    frequency = customers.orders - 1
    recency = np.where(frequency > 0, customers.last - customers.born, 0.0)
    return fitted(frequency, recency, 731.0 - customers.born)


@pytest.mark.parametrize("seasonality", [0.0, 1.0], ids=["plain", "seasonal"])
def test_bg_nbd_parameters_are_recovered_in_shop_time(seasonality):
    behaviour = Behaviour.single(r=0.6, alpha=40.0, a=0.8, b=3.0, seasonality=seasonality)
    customers, _ = drawn(behaviour)
    found = in_shop_time(customers)
    for name, tolerance in TOLERANCE.items():
        assert found[name] == pytest.approx(getattr(behaviour, name), rel=tolerance), name


def test_counting_by_day_merges_purchases_and_raises_alpha():
    """Reference clv.md, pitfall 9: about 5 % at CDNOW's parameters, however many customers."""
    behaviour = Behaviour.single(r=0.243, alpha=4.414 * 7, a=0.793, b=2.426)
    customers, purchases = drawn(behaviour)
    continuous = in_shop_time(customers)
    day = purchases.second // 86_400
    kept = np.append(True, (np.diff(purchases.owner) != 0) | (np.diff(day) != 0))
    frequency = np.bincount(purchases.owner[kept], minlength=N) - 1
    ends = np.cumsum(customers.orders)
    first, last = day[ends - customers.orders], day[ends - 1]
    by_day = fitted(frequency, last - first, 730 - first)
    assert frequency.sum() < (customers.orders - 1).sum()
    # Over ten seeds: alpha 1.053 to 1.057 times, r 1.018 to 1.020 times.
    assert 1.045 < by_day["alpha"] / continuous["alpha"] < 1.065
    assert 1.01 < by_day["r"] / continuous["r"] < 1.03


def test_gamma_gamma_parameters_are_recovered():
    behaviour = Behaviour.single(p=6.25, q=3.74, v=15.44)
    customers, purchases = drawn(behaviour)
    ends = np.cumsum(customers.orders)
    is_repeat = np.ones(len(purchases.owner), dtype=bool)
    is_repeat[ends - customers.orders] = False
    owner = purchases.owner[is_repeat]
    count = np.bincount(owner, minlength=N)
    spent = np.bincount(owner, purchases.cents[is_repeat] / 100, minlength=N)
    repeat = count > 0
    fitter = GammaGammaFitter().fit(count[repeat], spent[repeat] / count[repeat])
    assert fitter.params_["p"] == pytest.approx(6.25, rel=0.05)
    assert fitter.params_["q"] == pytest.approx(3.74, rel=0.05)
    assert fitter.params_["v"] == pytest.approx(15.44, rel=0.08)


def test_rates_and_dropouts_have_the_means_of_their_distributions():
    behaviour = Behaviour.single(r=0.6, alpha=40.0, a=0.8, b=3.0)
    customers, _ = drawn(behaviour)
    assert customers.purchase_rate.mean() == pytest.approx(0.6 / 40, rel=0.03)
    assert customers.dropout.mean() == pytest.approx(0.8 / 3.8, rel=0.02)
    value = behaviour.p * behaviour.v / (behaviour.q - 1)
    assert customers.mean_order_value.mean() == pytest.approx(value, rel=0.03)


def test_the_dead_die_at_a_repeat_purchase_and_the_living_by_their_dropout():
    customers, _ = drawn(Behaviour.single())
    assert (customers.orders[customers.dead] >= 2).all()
    # Each repeat purchase is a chance to die: deaths are binomial given p.
    expected = (customers.dropout * (customers.orders - 1)).sum()
    spread = np.sqrt((customers.dropout * (1 - customers.dropout) * (customers.orders - 1)).sum())
    assert abs(customers.dead.sum() - expected) < 5 * spread


def test_purchases_are_in_the_range_and_in_order():
    customers, purchases = drawn(Behaviour(), n=5_000)
    assert purchases.second.min() >= 0
    assert purchases.second.max() < 731 * 86_400
    assert len(purchases.owner) == customers.orders.sum()
    later = np.diff(purchases.second) >= 0
    assert (later | (np.diff(purchases.owner) > 0)).all()
    first = (np.cumsum(customers.orders) - customers.orders)[customers.orders > 0]
    assert (customers.signed_up[customers.orders > 0] <= purchases.second[first]).all()


def test_a_cohort_of_november_is_won_in_november_only_and_buys_less():
    behaviour = Behaviour(
        cohorts=(Cohort("all_year"), Cohort("november", months=(11,), purchase_rate=0.4)),
        never_buyers=0,
    )
    customers, _ = drawn(behaviour)
    november = customers.cohort == 1
    day = ShopTime(START, END, 1.0).seconds(customers.born) // 86_400
    months = {(np.datetime64(START) + int(d)).astype(object).month for d in set(day[november])}
    assert months == {11}
    ratio = customers.purchase_rate[november].mean() / customers.purchase_rate[~november].mean()
    assert ratio == pytest.approx(0.4, rel=0.1)


def test_never_buyers_sign_up_and_buy_nothing():
    customers, purchases = drawn(Behaviour(never_buyers=0.3), n=10_000)
    silent = customers.orders == 0
    assert silent.mean() == pytest.approx(0.3, abs=0.025)
    assert not silent[purchases.owner].any()
    assert not customers.dead[silent].any()


def test_customers_for_gives_about_the_orders_asked_for():
    n = customers_for(200_000, Behaviour(), START, END)
    customers, _ = drawn(Behaviour(), n=n)
    assert customers.orders.sum() == pytest.approx(200_000, rel=0.05)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"alpha": 0}, "behaviour: alpha is 0, must be above 0"),
        ({"q": 1.0}, "behaviour: q is 1.0, must be above 1"),
        ({"refund_rate": 1.5}, "behaviour: refund_rate is 1.5, must be 0 to 1"),
        ({"cohorts": ()}, r"behaviour: cohorts is \(\), must be 1 to 100 cohorts"),
        ({"cohorts": (Cohort("june", months=(6,)),)}, "at least one cohort for every month"),
        ({"cohorts": (Cohort("x", share=-1),)}, "share of cohort x is -1, must be above 0"),
    ],
)
def test_parameters_outside_their_range_are_refused(change, message):
    with pytest.raises(BehaviourError, match=message):
        Behaviour(**change)


def test_behaviour_survives_the_manifest():
    behaviour = Behaviour(r=0.4, cohorts=(Cohort("a"), Cohort("b", months=(1, 2))))
    assert Behaviour.from_json(json.loads(json.dumps(asdict(behaviour)))) == behaviour
