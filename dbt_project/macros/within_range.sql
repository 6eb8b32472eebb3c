{# Fails for each value outside of [low, high]; missing values pass, not_null is a test of its own. #}
{% test within_range(model, column_name, low, high) %}
select {{ column_name }} from {{ model }}
where {{ column_name }} < {{ low }} or {{ column_name }} > {{ high }}
{% endtest %}
