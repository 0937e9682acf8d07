"""Spotting: from the motion of an aligned face to events with onset, apex and offset."""
