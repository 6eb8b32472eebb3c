{# Fails for each value outside of [low, high], of which one may be left out; missing values pass,
   not_null is a test of its own. #}
{% test within_range(model, column_name, low=none, high=none) %}
select {{ column_name }} from {{ model }}
where false
{%- if low is not none %} or {{ column_name }} < {{ low }}{% endif %}
{%- if high is not none %} or {{ column_name }} > {{ high }}{% endif %}
{% endtest %}
