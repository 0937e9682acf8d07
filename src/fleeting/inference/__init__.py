"""Inference: shipped networks at work, and the analysis of a whole video."""
