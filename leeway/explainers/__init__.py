"""What a release carries to explain its predictions: SHAP values, neighbours, prediction sets."""
