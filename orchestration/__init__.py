"""When and how: the use-case component, its instances, jobs, sensors and automation conditions.

Belongs here: what Dagster has to know. Does not belong here: what a node does (`assets`).
"""
