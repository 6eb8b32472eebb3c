{# Tests of a model that look at many of its columns in one statement: dbt takes longer to begin a test
   than PostgreSQL to look at three hundred columns. Each column that fails is one row of the result;
   what is counted as failures are the values. Missing values pass, not_null is a test of its own. #}

{# Fails for each value outside of its column's [low, high], of which one may be none. #}
{% test within_ranges(model, ranges) %}
{{- config(
    fail_calc='coalesce(sum(failing_values), 0)',
    meta={'description': 'Every number is within the range of its column.'}
) -}}
{%- set rules = [] -%}
{%- for column, (low, high) in ranges.items() -%}
    {%- set below = [column ~ ' < ' ~ low] if low is not none else [] -%}
    {%- set above = [column ~ ' > ' ~ high] if high is not none else [] -%}
    {%- set least = ['at least ' ~ low] if low is not none else [] -%}
    {%- set most = ['at most ' ~ high] if high is not none else [] -%}
    {%- do rules.append((column, (below + above) | join(' or '), (least + most) | join(', '))) -%}
{%- endfor -%}
{{ columns_that_fail(model, rules) }}
{% endtest %}

{# Fails for each value that is not among those of its column. #}
{% test among_values(model, values) %}
{{- config(
    fail_calc='coalesce(sum(failing_values), 0)',
    meta={'description': 'Every category is one of those that its column declares.'}
) -}}
{%- set rules = [] -%}
{%- for column, allowed in values.items() -%}
    {%- set texts = [] -%}
    {%- for value in allowed -%}
        {%- do texts.append("'" ~ (value | string | replace("'", "''")) ~ "'") -%}
    {%- endfor -%}
    {%- do rules.append((column, column ~ '::text not in (' ~ texts | join(', ') ~ ')', allowed | join(', '))) -%}
{%- endfor -%}
{{ columns_that_fail(model, rules) }}
{% endtest %}

{# One row per column of which a value breaks its rule: (column, condition of a failure, what is allowed). #}
{% macro columns_that_fail(model, rules) %}
with failing as (
    select * from {{ model }}
    where
    {%- for _, fails, _ in rules %}
        {{ 'or ' if not loop.first }}({{ fails }})
    {%- endfor %}
)

select
    column_name,
    count(*) as failing_values,
    min(failing_value) as example,
    allowed
from failing
cross join lateral (
    values
    {%- for column, fails, allowed in rules %}
        ('{{ column }}', {{ column }}::text, {{ fails }}, '{{ allowed | replace("'", "''") }}')
        {{- ',' if not loop.last }}
    {%- endfor %}
) as looked_at (column_name, failing_value, fails, allowed)
where fails
group by column_name, allowed
order by column_name
{% endmacro %}
