{{ config(
    materialized='incremental',
    incremental_strategy='append',
    on_schema_change='append_new_columns',
    alias='clean',
    contract={'enforced': true},
    indexes=[{'columns': ['batch_id']}],
    pre_hook="{{ delete_batches() }}",
    post_hook="{{ fence('churn', 'clean') }}",
    meta={'dagster': {'asset_key': ['churn', 'clean'], 'group': 'churn'}}
) }}

-- Every column of staged, and no other one: the contract refuses what _marts.yml does not declare.
select *
from {{ ref('churn_staged') }}
{% if is_incremental() %}
where {{ batch_filter() }}
{% endif %}
