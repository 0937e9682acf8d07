"""Where an expression network looks: occlusion maps, and how much of them lies in which part of the face."""
