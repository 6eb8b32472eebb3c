"""How a model is made: preprocessing, candidates, cross-validation, search, and the stored file."""
