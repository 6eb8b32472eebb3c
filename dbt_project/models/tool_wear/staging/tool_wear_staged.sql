{{ config(materialized='view', alias='staged', meta={'dagster': {'asset_key': ['tool_wear', 'staged'], 'group': 'tool_wear'}}) }}

-- Nothing is filtered here, so that counts agree with raw.
select
    reading_id,
    reading_id as reading,
    quality,
    air_temperature_k,
    process_temperature_k,
    rotational_speed_rpm,
    torque_nm,
    tool_wear_min,
    machine_failure,
    batch_id,
    loaded_at
from {{ source('tool_wear', 'raw') }}
