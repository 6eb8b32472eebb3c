{{ config(materialized='view', alias='staged', meta={'dagster': {'asset_key': ['tool_wear', 'staged'], 'group': 'tool_wear'}}) }}

-- Nothing is filtered here, so that counts agree with raw. A tool begins where the wear falls; what it
-- had left is known when the next one has begun, in the same batch.
with compared as (
    select
        *,
        tool_wear_min < lag(tool_wear_min) over (partition by batch_id order by reading_id) as begins
    from {{ source('tool_wear', 'raw') }}
),

tools as (
    select
        *,
        count(*) filter (where begins) over (partition by batch_id order by reading_id) as tool
    from compared
)

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
    case
        when tool < max(tool) over (partition by batch_id)
            then (max(tool_wear_min) over (partition by batch_id, tool) - tool_wear_min)::double precision
    end as remaining_min,
    batch_id,
    loaded_at
from tools
