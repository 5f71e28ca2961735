{#- Rows of `model` that are alike in all `columns`. -#}
{% test unique_combination(model, columns) %}
select {{ columns | join(", ") }}, count(*) as rows
from {{ model }}
group by {{ columns | join(", ") }}
having count(*) > 1
{% endtest %}
