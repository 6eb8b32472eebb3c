"""Live traffic as batches: which answers of a service are looked at together, and their rows.

Belongs here: windows of time, and logged answers as a table. Does not belong here: the inference
log itself (`resources.inference_log`), or what is found of a window (`assets.traffic_drift`).
"""
