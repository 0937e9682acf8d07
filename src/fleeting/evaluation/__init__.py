"""Predictions or measurements and the truth come in, scores with intervals go out.

`benchmark` trains and tests with people held out, `comparison` sets runs side by side. The other modules measure the
shipped networks on labelled data (`fleeting evaluate`): `spotting` and `megc` (intervals), `recogniser`,
`action_units` (with `unit_scores`), `expression`, `landmarks`, `flow_error`.
"""
