"""Evaluation: splits, metrics and measurements on labelled data."""
