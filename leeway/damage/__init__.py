"""What a shift of the rows does to the metric of a model, before their labels arrive."""
