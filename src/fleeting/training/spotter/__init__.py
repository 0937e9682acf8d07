"""The judge of candidates: tells micro-expressions, blinks and other movements apart.

`examples` measures films whose movements are known, `network` is the judge, `train` fits it and writes it.
"""
