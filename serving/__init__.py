"""The prediction service.

Belongs here: HTTP, and keeping the champions of an installation loaded. Does not belong here: what
a request or an answer is (`leeway.served`), or anything of Dagster.
"""
