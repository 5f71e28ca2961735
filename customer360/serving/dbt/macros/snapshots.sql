{#-
    As-of dates whose rows in this incremental model are not made from what is published now, each
    with when the newest of the tables behind it was published.

    Args:
        snapshots: Relation that says which as-of dates there are.
        tables: Published tables that the rows are made from, as serving.publications names them.
-#}
{% macro stale_snapshots(snapshots, tables) -%}
    select snapshots.as_of, newest.published_at
    from (select distinct as_of from {{ snapshots }}) as snapshots
    cross join lateral (
        {%- set publications = adapter.get_relation(target.database, "serving", "publications") %}
        {%- if publications %}
        select max(published_at) as published_at
        from {{ publications }}
        where table_name in ('{{ tables | join("', '") }}')
            -- A publish without slices was of the whole table.
            and (first_slice is null or snapshots.as_of between first_slice and last_slice)
        {%- else %}
        select null::timestamptz as published_at
        {%- endif %}
    ) as newest
    {%- if is_incremental() %}
    left join lateral (
        select made.published_at from {{ this }} as made where made.as_of = snapshots.as_of limit 1
    ) as made on true
    where made.published_at is null or made.published_at is distinct from newest.published_at
    {%- endif %}
{%- endmacro %}


{#- Remove the as-of dates that the warehouse does not keep any more. -#}
{% macro remove_expired_snapshots(snapshots) -%}
    {%- if is_incremental() -%}
    delete from {{ this }}
    where as_of in (
        select as_of from {{ this }} except select as_of from {{ snapshots }}
    )
    {%- endif -%}
{%- endmacro %}
