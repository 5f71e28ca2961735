"""Features as queries of DuckDB: what is predicted from a file needs no Spark.

The same rows as `customer360.silver.customer_days`, `customer360.gold.customer_features` and
`customer360.gold.first_orders` make, where their columns are described; a test holds the two side
by side. Functions take names of tables and return queries.
"""

from __future__ import annotations

from datetime import date

from customer360.gold.terms import IS_PURCHASE, WINDOWS

_MONEY = "DECIMAL(18,2)"
_SALE, _REFUND = "FILTER (kind = 'sale')", "FILTER (kind = 'refund')"
_ORDER = "{'amount': amount, 'occurred_at': occurred_at, 'order_id': order_id, 'source': source}"


def customer_days(transactions: str) -> str:
    """``silver/customer_days`` from ``silver/transactions``."""
    largest = f"arg_max({{'channel': channel, 'category': category}}, {_ORDER}) {_SALE}"
    return f"""SELECT customer_key, business_date, orders, refunds, items, gross_revenue,
        refunded, (gross_revenue - refunded)::{_MONEY} AS net_revenue,
        largest.channel AS channel, largest.category AS category, review_score
    FROM (
        SELECT business_date, customer_key, count(*) {_SALE}::INTEGER AS orders,
            count(*) {_REFUND}::INTEGER AS refunds,
            coalesce(sum(items) {_SALE}, 0)::INTEGER AS items,
            coalesce(sum(amount) {_SALE}, 0)::{_MONEY} AS gross_revenue,
            coalesce(sum(amount) {_REFUND}, 0)::{_MONEY} AS refunded,
            {largest} AS largest, avg(review_score) {_SALE} AS review_score
        FROM {transactions}
        WHERE customer_key IS NOT NULL AND kind IN ('sale', 'refund')
        GROUP BY business_date, customer_key
    )"""


def customer_features(customer_days: str, as_of: date) -> str:
    """``gold/customer_features`` of one day from ``silver/customer_days``."""
    bought, inside = "FILTER (bought)", "business_date > DATE '{}' - {}"
    aggregates = ", ".join(
        f"count(*) FILTER (bought AND {inside.format(as_of, n)})::INTEGER "
        f"AS purchase_days_{n}d, "
        f"coalesce(sum(net) FILTER ({inside.format(as_of, n)}), 0)::BIGINT / 100.0::DOUBLE "
        f"AS net_revenue_{n}d"
        for n in WINDOWS
    )
    listed = ", ".join(
        [f"purchase_days_{n}d" for n in WINDOWS] + [f"net_revenue_{n}d" for n in WINDOWS]
    )
    return f"""WITH days_so_far AS (
        SELECT *, {IS_PURCHASE} AS bought,
            (net_revenue * 100)::BIGINT AS net, (gross_revenue * 100)::BIGINT AS gross,
            (refunded * 100)::BIGINT AS back
        FROM {customer_days} WHERE business_date <= DATE '{as_of}'
    ), totals AS (
        SELECT customer_key, min(business_date) {bought} AS first_purchase_on,
            max(business_date) {bought} AS last_purchase_on,
            count(*) {bought} AS purchases,
            sum(net) {bought}::BIGINT - arg_min(net, business_date) {bought} AS repeated,
            sum(orders)::INTEGER AS orders, sum(items)::INTEGER AS items,
            sum(refunds)::INTEGER AS refunds, sum(net)::BIGINT AS net,
            sum(gross)::BIGINT AS gross, sum(back)::BIGINT AS back, {aggregates},
            count(DISTINCT category) {bought}::INTEGER AS distinct_categories,
            count(DISTINCT channel) {bought}::INTEGER AS distinct_channels,
            arg_max(category, business_date) {bought} AS last_category,
            arg_max(channel, business_date) {bought} AS last_channel
        FROM days_so_far GROUP BY customer_key
    ), named AS (
        SELECT *, (purchases - 1)::INTEGER AS frequency,
            last_purchase_on - first_purchase_on AS recency,
            DATE '{as_of}' - first_purchase_on AS T,
            DATE '{as_of}' - last_purchase_on AS days_since_last_purchase
        FROM totals WHERE purchases > 0
    ), rhythm AS (
        SELECT *, CASE WHEN frequency > 0 THEN recency::DOUBLE / frequency END AS gap
        FROM named
    )
    SELECT DATE '{as_of}' AS as_of, customer_key, first_purchase_on, last_purchase_on,
        frequency, recency::INTEGER AS recency, T::INTEGER AS T,
        CASE WHEN frequency > 0 THEN repeated / 100.0::DOUBLE / frequency ELSE 0 END
            AS monetary_value,
        days_since_last_purchase::INTEGER AS days_since_last_purchase,
        frequency + 1 AS purchase_days, orders, items, refunds,
        net / 100.0::DOUBLE AS net_revenue, back / 100.0::DOUBLE AS refunded,
        coalesce(back::DOUBLE / nullif(gross, 0), 0) AS refund_rate,
        gross / 100.0::DOUBLE / orders AS average_order_value, {listed},
        gap AS mean_days_between_purchases,
        days_since_last_purchase / gap AS overdue_ratio, distinct_categories,
        distinct_channels, last_category, last_channel
    FROM rhythm"""


def first_orders(transactions: str, as_of: date) -> str:
    """``gold/first_orders`` of one day from ``silver/transactions``, but for the profile."""
    carried = ("category", "channel", "payment_type", "installments", "delivered_on")
    known = ", ".join(f"'{name}': {name}" for name in (*carried, "review_score", "reviewed_on"))
    first = ", ".join(f"bought.{name} AS first_{name}" for name in carried[:-1])
    return f"""WITH days AS (
        SELECT customer_key, business_date, count(*) {_SALE} AS orders,
            coalesce(sum((amount * 100)::BIGINT) {_SALE}, 0)::BIGINT AS sold,
            coalesce(sum((amount * 100)::BIGINT) {_REFUND}, 0)::BIGINT AS refunded,
            sold - refunded AS net_revenue, sum(items) {_SALE}::INTEGER AS items,
            sum((freight * 100)::BIGINT) {_SALE}::BIGINT AS freight,
            arg_max({{{known}}}, {_ORDER}) {_SALE} AS bought
        FROM {transactions}
        WHERE customer_key IS NOT NULL AND kind IN ('sale', 'refund')
            AND business_date <= DATE '{as_of}'
        GROUP BY customer_key, business_date
    ), firsts AS (
        SELECT customer_key, min(business_date) AS first_purchase_on,
            arg_min({{'sold': sold, 'items': items, 'freight': freight, 'bought': bought}},
                business_date) AS day
        FROM days WHERE {IS_PURCHASE} GROUP BY customer_key
    ), told AS (
        SELECT customer_key, first_purchase_on, day.sold AS sold, day.items AS items,
            day.freight AS freight, day.bought AS bought,
            coalesce(day.bought.delivered_on <= DATE '{as_of}', false) AS first_delivered
        FROM firsts
    )
    SELECT DATE '{as_of}' AS as_of, customer_key, first_purchase_on,
        sold / 100.0::DOUBLE AS first_order_amount, items AS first_order_items, {first},
        freight / 100.0::DOUBLE AS first_freight,
        freight::DOUBLE / nullif(sold, 0) AS first_freight_share, first_delivered,
        CASE WHEN first_delivered THEN (bought.delivered_on - first_purchase_on)::INTEGER END
            AS first_delivery_days,
        CASE WHEN bought.reviewed_on <= DATE '{as_of}' THEN bought.review_score END
            AS first_review_score
    FROM told"""
