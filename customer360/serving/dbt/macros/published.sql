{#- Whether a published table is there; while dbt parses, none is. -#}
{% macro is_there(relation) -%}
    {{ return(execute and load_relation(relation) is not none) }}
{%- endmacro %}


{#-
    The columns that the model's properties state, of a published table.

    A table that was never published, as in a deployment without models, counts as an empty one, so
    that the marts that do not need it are made all the same; unless it is `required`, then they
    are not made.
-#}
{% macro published(relation, required=false) -%}
    {%- set there = required or is_there(relation) -%}
    select
    {%- for column in model.columns.values() %}
        {% if not there -%} null::{{ column.data_type }} as {% endif -%}
        {{ adapter.quote(column.name) }}{{ "," if not loop.last }}
    {%- else %}
        1 as parsed
    {%- endfor %}
    {% if there or not execute -%} from {{ relation }} {%- else -%} limit 0 {%- endif %}
{%- endmacro %}


{#- A published table with a row a customer; where it was never published, one without rows. -#}
{% macro published_or_empty(relation, column=none, data_type=none) -%}
    {%- if is_there(relation) or not execute -%}
    {{ relation }}
    {%- else -%}
    (
        select null::text as customer_key
        {%- if column is not none %}, null::{{ data_type }} as {{ column }}{% endif %} limit 0
    )
    {%- endif -%}
{%- endmacro %}
