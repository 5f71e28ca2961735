{{
    config(
        pre_hook="{{ require_suppression_list() }}",
        indexes=[
            {"columns": ["campaign", "rank"], "unique": true},
            {"columns": ["customer_key"]},
        ]
    )
}}

-- depends_on: {{ ref("stg_suppressed_customers") }}
-- The lists of customer360.serving.campaigns, which states each as a query of these customers.
-- Today's consent and not that of the snapshot's day: who has refused since is left out.
with customers as (
    select *
    from {{ ref("customer_360") }}
    where as_of = (select max(as_of) from {{ ref("customer_360") }})
),

members as (
    {% for campaign in var("campaign_lists") %}
    select as_of, '{{ campaign.name }}' as campaign, customer_key, priority as value
    from ({{ campaign.members }}) as {{ campaign.name }}
    where may_contact
    {{ "union all" if not loop.last }}
    {% endfor %}
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
