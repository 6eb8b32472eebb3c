"""The pages of the dashboard, one module each; Streamlit takes a folder `pages` for its own.

Belongs here: what a page asks the service for, and how it is laid out. Does not belong here: what
pages share (`dashboard.forms`, `dashboard.answers`).
"""
