"""The `leeway` command.

Belongs here: arguments, what is printed, exit codes. Does not belong here: anything that a service
or an asset would need, too.
"""
