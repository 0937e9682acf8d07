"""Training: what turns data and a recipe into weights."""
