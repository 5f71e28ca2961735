{{ config(indexes=[{"columns": ["as_of", "customer_key"], "unique": true}]) }}

with newest as (
    select max(business_date) as business_date from {{ ref("stg_business_health") }}
),

-- Dates whose horizon has fully passed: of the others nobody knows yet what comes.
known as (
    select distinct examples.as_of, examples.horizon_days
    from {{ ref("stg_revenue_examples") }} as examples
    cross join newest
    where examples.as_of + examples.horizon_days <= newest.business_date
),

came as (
    select
        known.as_of,
        days.customer_key,
        sum(days.net_revenue) as net_revenue,
        -- A purchase: something was sold and not all of it was taken back.
        bool_or(days.orders > 0 and (days.net_revenue > 0 or days.refunded = 0)) as bought
    from known
    inner join {{ ref("stg_customer_days") }} as days
        on days.business_date > known.as_of
        and days.business_date <= known.as_of + known.horizon_days
    group by known.as_of, days.customer_key
)

select
    examples.*,
    case
        when known.as_of is not null then coalesce(came.net_revenue, 0)::double precision
    end as net_revenue_next,
    case
        when known.as_of is not null then coalesce(came.bought, false)::integer
    end as bought_next
from {{ ref("stg_revenue_examples") }} as examples
left join known on examples.as_of = known.as_of and examples.horizon_days = known.horizon_days
left join came on examples.as_of = came.as_of and examples.customer_key = came.customer_key
