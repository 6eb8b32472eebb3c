"""The dashboard: pages in the browser over the service.

Belongs here: what people see and do. Does not belong here: anything that the service does not say
over HTTP; it imports nothing of Leeway.
"""
