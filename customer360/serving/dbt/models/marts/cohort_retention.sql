{{ config(indexes=[{"columns": ["as_of", "cohort", "months_since_first"], "unique": true}]) }}

select *
from {{ ref("stg_cohort_retention") }}
