"""The flow network: dense flow between two pictures of a face, from hundredths of a pixel to eight pixels.

`network`, `portraits` (what pairs are drawn from, with `synthesis.flow`), `train`, `export`.
"""
