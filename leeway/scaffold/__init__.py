"""From a table to a use case: what `leeway new` infers, and the files that it writes.

Belongs here: inference from an Arrow table, and rendering a use case as the text of its files. Does
not belong here: reading the table, or writing a file (`resources`, `cli.new`).
"""
