{# What a data test looks at. `where: these_batches` is what this run builds: a batch that failed a
   test stays in the table, unseen by readers, and must not fail the batches after it. #}
{% macro get_where_subquery(relation) -%}
    {%- if execute and config.get('where') == 'these_batches' -%}
        {{ return('(select * from ' ~ relation ~ ' where ' ~ batch_filter() ~ ') dbt_subquery') }}
    {%- endif -%}
    {{ return(dbt.default__get_where_subquery(relation)) }}
{%- endmacro %}
