{{ config(
    materialized='incremental',
    incremental_strategy='append',
    on_schema_change='append_new_columns',
    alias='clean',
    contract={'enforced': true},
    indexes=[{'columns': ['batch_id']}],
    pre_hook="{{ delete_batches() }}",
    post_hook="{{ fence('tool_life', 'clean') }}",
    meta={'dagster': {'asset_key': ['tool_life', 'clean'], 'group': 'tool_life'}}
) }}

select
    run_id,
    cutting_speed,
    tool_geometry,
    cutting_angle,
    life_hours,
    batch_id,
    loaded_at
from {{ ref('tool_life_staged') }}
{% if is_incremental() %}
where {{ batch_filter() }}
{% endif %}
