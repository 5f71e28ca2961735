{{
    config(
        indexes=[
            {"columns": ["campaign", "rank"], "unique": true},
            {"columns": ["customer_key"]},
        ]
    )
}}

-- The lists of customer360.serving.campaigns, which exports write; a test compares the two.
with customers as (
    select *
    from {{ ref("customer_360") }}
    where as_of = (select max(as_of) from {{ ref("customer_360") }})
),

-- Steps 1 % wide, as campaigns has them.
steps as (
    select
        customer_key,
        floor(ln(1 + greatest(discounted_value_12m, 0)) * 100) as step
    from customers
),

whales as (
    select customer_key
    from steps
    where step >= (
        select percentile_cont(1 - {{ var("whale_share") }}) within group (order by step) from steps
    )
),

members as (
    select
        as_of,
        'at_risk_valuable' as campaign,
        customer_key,
        churn_probability * net_revenue_365d as value
    from customers
    where churn_risk = 'high' and m_score >= {{ var("high_value_from") }}

    union all

    select as_of, 'whales', customer_key, discounted_value_12m
    from customers
    inner join whales using (customer_key)
    where discounted_value_12m > 0

    union all

    select as_of, 'win_back', customer_key, net_revenue
    from customers
    where
        churn_probability is null
        and r_score <= {{ var("long_silent_to") }}
        and m_score >= {{ var("high_value_from") }}

    union all

    select as_of, 'second_purchase', customer_key, expected_revenue_365d
    from customers
    where
        purchase_days = 1
        and days_since_last_purchase < {{ var("second_purchase_days") }}
        and net_revenue > 0
)

select
    members.as_of,
    members.campaign,
    members.customer_key,
    row_number() over (
        partition by members.campaign
        -- To cents, as exports order their lists.
        order by round(members.value::numeric, 2) desc nulls last, members.customer_key
    )::integer as rank,
    members.value
from members
-- Today's consent and not that of the snapshot's day: who has refused since is left out.
inner join {{ ref("stg_customers") }} as people
    on members.customer_key = people.customer_key and people.marketing_consent
where not exists (
    select from {{ ref("stg_suppressed_customers") }} as suppressed
    where suppressed.customer_key = members.customer_key
)
