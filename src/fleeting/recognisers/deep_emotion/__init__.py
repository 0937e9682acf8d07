"""Deep-Emotion: the attentional convolutional network of Minaee, Minaei and Abdolrashidi.

`network` is the paper's network, `recogniser` trains it, or our own expression network, anew in every fold of a
benchmark. The training of both is in `training.expression` (`recipes/deep_emotion.toml`).
"""
