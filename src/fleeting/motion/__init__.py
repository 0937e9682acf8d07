"""Aligned crops come in, motion without the head's goes out.

`flow` is dense flow behind one function; `registration` holds the head still, `head_motion` estimates its motion;
`flow_image` is what recognisers read, `regions` the parts of the face. `revised_flow`, `mdmo` and `lbp_top` are
published features, `magnification` enlarges movements. Start with `flow`.
"""
