{{ config(
    materialized='incremental',
    incremental_strategy='append',
    on_schema_change='append_new_columns',
    alias='clean',
    contract={'enforced': true},
    pre_hook="{{ delete_batches() }}",
    post_hook="{{ fence('tool_wear', 'clean') }}",
    meta={'dagster': {'asset_key': ['tool_wear', 'clean'], 'group': 'tool_wear'}}
) }}

select
    reading_id,
    reading,
    quality,
    air_temperature_k,
    process_temperature_k,
    rotational_speed_rpm,
    torque_nm,
    tool_wear_min,
    machine_failure,
    remaining_min,
    batch_id,
    loaded_at
from {{ ref('tool_wear_staged') }}
{% if is_incremental() %}
where {{ batch_filter() }}
{% endif %}
