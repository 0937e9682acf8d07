"""Data sets and the name of a model come in, one row per prediction and honest scores go out.

`run` is the whole way; start there. `protocols` and `splits` say who is held out, `leakage`, `duplicates` and
`fold_checks` refuse what would leak before anything is trained, `fold_jobs` is what one job does, `scores` and `files`
are what is kept. `action_units` is the same for the task of action units.
"""
