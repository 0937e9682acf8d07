"""The landmark network: 68 points, head pose, eye and mouth opening, and whether it is a face.

`network`, `labels` and `crops` (what it sees), `losses`, `train`, `check` (people held out), `export`. `teacher`
labels pictures with MediaPipe.
"""
