{{ config(
    materialized='incremental',
    incremental_strategy='append',
    on_schema_change='append_new_columns',
    alias='clean',
    contract={'enforced': true},
    indexes=[{'columns': ['batch_id']}],
    pre_hook="{{ delete_batches() }}",
    post_hook="{{ fence('penguins', 'clean') }}",
    meta={'dagster': {'asset_key': ['penguins', 'clean'], 'group': 'penguins'}}
) }}

select
    penguin_id,
    species,
    island,
    bill_length_mm,
    bill_depth_mm,
    flipper_length_mm,
    body_mass_g,
    sex,
    year,
    batch_id,
    loaded_at
from {{ ref('penguins_staged') }}
{% if is_incremental() %}
where {{ batch_filter() }}
{% endif %}
