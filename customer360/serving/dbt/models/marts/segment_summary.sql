{{ config(indexes=[{"columns": ["as_of", "segment"], "unique": true}]) }}

select
    as_of,
    segment,
    count(*) as customers,
    count(*) / sum(count(*)) over (partition by as_of)::double precision as customer_share,
    sum(net_revenue) as net_revenue,
    sum(net_revenue) / nullif(sum(sum(net_revenue)) over (partition by as_of), 0) as revenue_share,
    sum(net_revenue_365d) as net_revenue_365d,
    avg(net_revenue) as average_net_revenue,
    avg(average_order_value) as average_order_value,
    avg(purchase_days)::double precision as average_purchase_days,
    avg(days_since_last_purchase)::double precision as average_days_since_last_purchase,
    avg(churn_probability) as average_churn_probability,
    count(*) filter (where churn_risk = 'high') as high_risk_customers,
    sum(expected_revenue_365d) as expected_revenue_365d,
    sum(value_at_stake) as value_at_stake
from {{ ref("customer_360") }}
group by as_of, segment
