"""The face that moves: action units as displacement fields, lids, gaze, head, and what disturbs a spotter.

`frame` is the face's own frame, `action_units` the fields, `movement` the record of one movement, `motion` adds them
up. Start with `action_units`.
"""
