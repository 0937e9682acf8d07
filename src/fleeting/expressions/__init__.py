"""Pictures and videos come in, the expression of every face goes out, and why.

`emotion` reads seven classes a frame, `files` writes them, `drawing` draws them. `explain` shows where the network
looks in one face, by occlusion or by integrated gradients (`gradients`, which needs the research extra), and `regions`
says how much of that lies in which part of the face.
"""
