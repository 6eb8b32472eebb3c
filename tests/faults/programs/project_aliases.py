"""Tells MLflow who is champion of the use case that is its argument."""

from __future__ import annotations

import sys

from resources.registry import project_aliases
from resources.settings import get_settings

project_aliases(get_settings(), sys.argv[1])
