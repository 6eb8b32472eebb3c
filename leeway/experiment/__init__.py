"""Two-level factorial experiments: design, effects, best setting, and what it saves."""
