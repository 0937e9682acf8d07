"""``fleeting benchmark --task spotting``: long films with marked intervals come in, MEGC's scores go out.

`benchmark` is the whole way; start there. `films` reads the data sets and says who is in which film, `measured` looks
at each film once, `spotters` are what is compared (`retrained` fits the judge anew inside each fold), `scores` counts.
"""
