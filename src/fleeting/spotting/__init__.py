"""The motion of one face comes in, events with onset, apex and offset go out.

`spot.spot` is the whole way; start there. `region_motion` measures, `measurements` keeps, `run_signals` prepares,
`candidates` finds what may be an event, `judge` decides, `blinks` and `movements` find blinks and long movements.
"""
