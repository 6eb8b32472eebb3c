{{ config(
    materialized='incremental',
    incremental_strategy='append',
    on_schema_change='append_new_columns',
    alias='clean',
    contract={'enforced': true},
    indexes=[{'columns': ['batch_id']}],
    pre_hook="{{ delete_batches() }}",
    post_hook="{{ fence('tool_wear', 'clean') }}",
    meta={'dagster': {'asset_key': ['tool_wear', 'clean'], 'group': 'tool_wear'}}
) }}

-- A tool begins where the wear falls; what it had left is known when the next one has begun, in the
-- same batch. Computed once here and not in the view, which each test of dbt would compute again.
with compared as (
    select
        *,
        tool_wear_min < lag(tool_wear_min) over (partition by batch_id order by reading) as begins
    from {{ ref('tool_wear_staged') }}
    {% if is_incremental() %}
    where {{ batch_filter() }}
    {% endif %}
),

tools as (
    select
        *,
        count(*) filter (where begins) over (partition by batch_id order by reading) as tool
    from compared
)

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
    case
        when tool < max(tool) over (partition by batch_id)
            then (max(tool_wear_min) over (partition by batch_id, tool) - tool_wear_min)::double precision
    end as remaining_min,
    batch_id,
    loaded_at
from tools
