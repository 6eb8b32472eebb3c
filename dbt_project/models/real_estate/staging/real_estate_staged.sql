{{ config(materialized='view', alias='staged', meta={'dagster': {'asset_key': ['real_estate', 'staged'], 'group': 'real_estate'}}) }}

-- Nothing is filtered here, so that counts agree with raw: a row that is no ordinary house says why.
select
    listing_id,
    price,
    bed,
    bath,
    acre_lot,
    house_size,
    initcap(trim(state)) as state,
    lower(trim(status)) as status,
    zip_code,
    trim(city) as city,
    prev_sold_date,
    case
        when house_size is null and coalesce(bed, bath) is null then 'no house: land alone'
        when house_size is null then 'a house without its size'
        when price / house_size < 5 then 'less than 5 USD for a square foot'
        when price / house_size > 5000 then 'more than 5,000 USD for a square foot'
        when house_size / nullif(bed, 0) < 50 then 'less than 50 square feet for each bedroom'
    end as excluded_because,
    batch_id,
    loaded_at
from {{ source('real_estate', 'raw') }}
