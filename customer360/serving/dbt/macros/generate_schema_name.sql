{#- Schemas are named as they are: the reader's grants, and the dashboard, know them by name. -#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ custom_schema_name or target.schema }}
{%- endmacro %}
