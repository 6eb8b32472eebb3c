{# The batches of this run, each with the token that lets it commit; none when a person runs dbt.
   They are written into SQL as they are: nothing but a batch id gets past here.
   Not read while dbt parses: it would parse each model that did so again for each run. #}
{% macro attempts() -%}
    {%- set tokens = fromjson(env_var('LEEWAY_ATTEMPTS', '{}')) if execute else {} -%}
    {%- for batch in tokens -%}
        {%- if not modules.re.fullmatch('[A-Za-z0-9][A-Za-z0-9_-]{0,62}', batch) -%}
            {{ exceptions.raise_compiler_error('not a batch id: ' ~ batch) }}
        {%- endif -%}
    {%- endfor -%}
    {{ return(tokens) }}
{%- endmacro %}

{# The batches of this run as a SQL list; every batch when a person runs dbt by hand. #}
{% macro batch_filter() -%}
    {%- set batches = attempts() -%}
    {%- if not batches -%}
        true
    {%- else -%}
        batch_id in (
        {%- for batch in batches -%}
            '{{ batch }}'{{ ', ' if not loop.last }}
        {%- endfor -%}
        )
    {%- endif -%}
{%- endmacro %}

{# Before an incremental insert: a batch that is built again replaces itself, even by no rows. #}
{% macro delete_batches() -%}
    {%- if is_incremental() -%}
        delete from {{ this }} where {{ batch_filter() }}
    {%- else -%}
        select 1
    {%- endif -%}
{%- endmacro %}

{# Inside the model's transaction: refuses to commit when a newer attempt has begun. #}
{% macro fence(use_case, node) -%}
    {%- set tokens = attempts() -%}
    {%- if not tokens -%}
        select 1
    {%- else -%}
        {%- for batch, token in tokens.items() -%}
            select leeway.fence('{{ use_case }}', '{{ node }}', '{{ batch }}', {{ token | int }});
        {%- endfor -%}
    {%- endif -%}
{%- endmacro %}
