"""Labelled clips come in, a recogniser that was fitted to them goes out.

What a benchmark compares: the published systems, each in a folder with its network, losses, fit, recipe and export
(`dsticnn`, `macro_to_micro`, `flow_svm`, `deep_emotion`), our own (`fleeting`), and the baselines, a file each.
`contract` says what every one of them must be; `registry` knows them by name. `folds` trains many folds at once,
`sequences` holds what the systems that read whole clips share. Start with `contract`, then `linear_svm`.
`unit_models` has the contract and the names of models of action units; the other `unit_*` modules are these models.
"""
