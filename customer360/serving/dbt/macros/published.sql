{#-
    The columns that the model's properties state, of a published table.

    A table that was never published, as in a deployment without models, counts as an empty one, so
    that the marts that do not need it are made all the same; unless it is `required`, then they
    are not made.
-#}
{% macro published(relation, required=false) -%}
    {%- set there = execute and (required or load_relation(relation) is not none) -%}
    select
    {%- for column in model.columns.values() %}
        {% if not there -%} null::{{ column.data_type }} as {% endif -%}
        {{ adapter.quote(column.name) }}{{ "," if not loop.last }}
    {%- else %}
        1 as parsed
    {%- endfor %}
    {% if there or not execute -%} from {{ relation }} {%- else -%} limit 0 {%- endif %}
{%- endmacro %}
