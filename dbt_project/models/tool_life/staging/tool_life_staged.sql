{{ config(materialized='view', alias='staged', meta={'dagster': {'asset_key': ['tool_life', 'staged'], 'group': 'tool_life'}}) }}

-- Levels are coded already; nothing is filtered here, so that counts agree with raw.
select
    run_id,
    replicate,
    cutting_speed,
    tool_geometry,
    cutting_angle,
    life_hours,
    batch_id,
    loaded_at
from {{ source('tool_life', 'raw') }}
