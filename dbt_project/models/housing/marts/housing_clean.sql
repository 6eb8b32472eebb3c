{{ config(
    materialized='incremental',
    incremental_strategy='append',
    on_schema_change='append_new_columns',
    alias='clean',
    contract={'enforced': true},
    indexes=[{'columns': ['batch_id']}],
    pre_hook="{{ delete_batches() }}",
    post_hook="{{ fence('housing', 'clean') }}",
    meta={'dagster': {'asset_key': ['housing', 'clean'], 'group': 'housing'}}
) }}

select
    block_id,
    longitude,
    latitude,
    housing_median_age,
    total_rooms,
    total_bedrooms,
    population,
    households,
    median_income,
    ocean_proximity,
    median_house_value,
    batch_id,
    loaded_at
from {{ ref('housing_staged') }}
{% if is_incremental() %}
where {{ batch_filter() }}
{% endif %}
