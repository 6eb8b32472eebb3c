{{ config(
    materialized='incremental',
    incremental_strategy='append',
    on_schema_change='append_new_columns',
    alias='clean',
    contract={'enforced': true},
    indexes=[{'columns': ['batch_id']}],
    pre_hook="{{ delete_batches() }}",
    post_hook="{{ fence('real_estate', 'clean') }}",
    meta={'dagster': {'asset_key': ['real_estate', 'clean'], 'group': 'real_estate'}}
) }}

select
    listing_id,
    price,
    bed,
    bath,
    acre_lot,
    house_size,
    state,
    status,
    zip_code,
    city,
    prev_sold_date,
    batch_id,
    loaded_at
from {{ ref('real_estate_staged') }}
where excluded_because is null
{% if is_incremental() %}
and {{ batch_filter() }}
{% endif %}
