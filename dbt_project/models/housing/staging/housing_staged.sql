{{ config(materialized='view', alias='staged', meta={'dagster': {'asset_key': ['housing', 'staged'], 'group': 'housing'}}) }}

-- One spelling per category; nothing is filtered here, so that counts agree with raw.
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
    nullif(upper(trim(ocean_proximity)), '') as ocean_proximity,
    median_house_value,
    batch_id,
    loaded_at
from {{ source('housing', 'raw') }}
