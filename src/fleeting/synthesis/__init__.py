"""Synthesis: action units to displacement fields to frames with exact ground truth."""
