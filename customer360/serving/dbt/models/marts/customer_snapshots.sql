{{
    config(
        materialized="incremental",
        incremental_strategy="delete+insert",
        unique_key="as_of",
        pre_hook="{{ remove_expired_snapshots(ref('stg_customer_360')) }}",
        post_hook="comment on table {{ this }} is '{{ env_var('MARTS_FINGERPRINT', '') }}'",
        indexes=[
            {"columns": ["as_of", "customer_key"], "unique": true},
            {"columns": ["customer_key text_pattern_ops"]},
            {"columns": ["as_of", "value_at_stake desc nulls last"]},
            {"columns": ["as_of", "expected_revenue_365d desc nulls last"]},
            {"columns": ["as_of", "discounted_value_12m desc nulls last"]},
            {"columns": ["as_of", "net_revenue desc nulls last"]},
        ],
    )
}}

-- A snapshot is a million rows: only those that were published anew are made again.
with stale as (
    {{
        stale_snapshots(
            ref("stg_customer_360"),
            [
                "gold/customer_360",
                "gold/churn_scores",
                "gold/lifetime_value",
                "gold/revenue_predictions",
            ],
        ) | indent(4)
    }}
)

select
    customers.*,
    churn.reason_1 as churn_reason_1,
    churn.reason_1_values as churn_reason_1_values,
    churn.reason_2 as churn_reason_2,
    churn.reason_2_values as churn_reason_2_values,
    churn.reason_3 as churn_reason_3,
    churn.reason_3_values as churn_reason_3_values,
    churn.horizon_days as churn_horizon_days,
    value.probability_alive_low,
    value.probability_alive_high,
    value.expected_revenue_365d_low,
    value.expected_revenue_365d_high,
    value.discounted_value_12m_low,
    value.discounted_value_12m_high,
    value.discounted_residual_value,
    value.discounted_residual_value_low,
    value.discounted_residual_value_high,
    revenue.expected_revenue,
    revenue.purchase_probability,
    revenue.horizon_days as revenue_horizon_days,
    stale.published_at
from {{ ref("stg_customer_360") }} as customers
inner join stale on customers.as_of = stale.as_of
left join {{ ref("stg_churn_scores") }} as churn
    on customers.as_of = churn.as_of and customers.customer_key = churn.customer_key
left join {{ ref("stg_lifetime_value") }} as value
    on customers.as_of = value.as_of and customers.customer_key = value.customer_key
left join {{ ref("stg_revenue_predictions") }} as revenue
    on customers.as_of = revenue.as_of and customers.customer_key = revenue.customer_key
