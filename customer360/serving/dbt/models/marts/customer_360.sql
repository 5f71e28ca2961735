{{ config(materialized="view") }}

-- Gold is of its as-of date, consent is of today: a view, so that whoever has refused since, or is
-- suppressed, may not be contacted and is proposed for no contact from the moment that this is published. So is
-- everybody while nothing is known of who is suppressed. Of the published tables themselves, as dbt drops the
-- views upon a staging view whenever it makes that again.
select
    {%- for column in model.columns.values() %}
    {%- if column.name == "next_best_action" %}
    case
        when {{ suppression_is_unknown() }}
            or people.marketing_consent is false or suppressed.customer_key is not null
            then '{{ var("no_contact") }}'
        else customers.next_best_action
    end as next_best_action
    {%- elif column.name == "may_contact" %}
    case
        when {{ suppression_is_unknown() }}
            or people.customer_key is null or suppressed.customer_key is not null then false
        else people.marketing_consent
    end as may_contact
    {%- else %}
    customers.{{ adapter.quote(column.name) }}
    {%- endif %}{{ "," if not loop.last }}
    {%- else %}
    1 as parsed
    {%- endfor %}
from {{ ref("customer_snapshots") }} as customers
left join {{ published_or_empty(source("silver", "customers"), "marketing_consent", "boolean") }}
    as people on customers.customer_key = people.customer_key
left join {{ published_or_empty(source("serving", "suppressed_customers")) }}
    as suppressed on customers.customer_key = suppressed.customer_key
