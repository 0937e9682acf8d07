"""Faces: find, landmarks, follow over time, align to the canonical crop."""
