"""A recording comes in, what speaks for and against it goes out.

`probe.probe` looks at a file by itself; an analysis feeds `meter.QualityMeter` as its frames stream by. `pictures`
measures noise, blur and light of single pictures, and `advice` says in plain words what to do. Start with `meter`.
"""
