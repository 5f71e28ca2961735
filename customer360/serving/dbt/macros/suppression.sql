{#-
    Statement that stops a model where it is not known whom the suppression list names: a publish
    that could not read the list takes back what was noted of its table.
-#}
{% macro require_suppression_list() -%}
do $$
declare
    known boolean := to_regclass('serving.suppressed_customers') is not null;
begin
    if known and to_regclass('serving.publications') is not null then
        select exists (
            select from serving.publications where table_name = 'serving/suppressed_customers'
        ) into known;
    end if;
    if not known then
        raise exception 'it is not known who is suppressed: mend the suppression list, then run '
            '`customer360 run --steps publish`';
    end if;
end
$$
{%- endmacro %}


{#-
    Condition: nothing is known of who is suppressed, as no list has been read since the warehouse was
    made. Whom an earlier list named is known, also while a later one cannot be read.
-#}
{% macro suppression_is_unknown() -%}
    {%- set named = source("serving", "suppressed_customers") -%}
    {%- set publications = adapter.get_relation(target.database, "serving", "publications") if execute -%}
    {%- if execute and not is_there(named) -%}
    true
    {%- elif publications -%}
    (
        not exists (
            select from {{ publications }} where table_name = 'serving/suppressed_customers'
        )
        and not exists (select from {{ named }})
    )
    {%- else -%}
    false
    {%- endif -%}
{%- endmacro %}
