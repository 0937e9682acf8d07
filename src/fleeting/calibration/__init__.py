"""A recording comes in, how small a movement it can show goes out.

`calibrate.calibrate_video` is the whole way: `quiet_moments` finds where nothing happens, `plan` draws which movements
to put in, `trials` and `injected_trial` put them in and look for them, `psychometric` fits the curve, and `words` says
it in a sentence.
"""
