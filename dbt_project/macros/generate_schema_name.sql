{# A model lives in the schema of its use case, which its folder names, in every environment:
   environments are databases. #}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ custom_schema_name | trim if custom_schema_name else node.fqn[1] }}
{%- endmacro %}
