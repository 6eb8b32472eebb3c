{{ config(materialized='view', alias='staged', meta={'dagster': {'asset_key': ['penguins', 'staged'], 'group': 'penguins'}}) }}

-- One spelling per category; nothing is filtered here, so that counts agree with raw.
select
    penguin_id,
    initcap(trim(species)) as species,
    initcap(trim(island)) as island,
    bill_length_mm,
    bill_depth_mm,
    flipper_length_mm,
    body_mass_g,
    nullif(lower(trim(sex)), '') as sex,
    year,
    batch_id,
    loaded_at
from {{ source('penguins', 'raw') }}
