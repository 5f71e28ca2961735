{{
    config(
        indexes=[{"columns": ["business_date"], "unique": true}],
        meta={"owner": "finance-analytics"},
    )
}}

select
    business_date,
    date_trunc('week', business_date)::date as week,
    date_trunc('month', business_date)::date as month,
    orders,
    refunds,
    cancelled,
    items,
    gross_revenue,
    refunded,
    net_revenue,
    (refunded / nullif(gross_revenue, 0))::double precision as refund_rate,
    average_order_value,
    active_customers,
    new_customers,
    returning_customers,
    anonymous_orders,
    anonymous_revenue
from {{ ref("stg_business_health") }}
