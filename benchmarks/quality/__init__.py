"""Quality against CPU seconds: Leeway's whole search beside others, on the same folds."""
