"""A video comes in, a timeline goes out.

`analyse.analyse_video` is the whole way; start there. The first look (`first_look`) reads every frame once and keeps
only numbers. `spotting` turns these into events. The second look (`second_look`) reads the frames of each event again
for its class and its pictures (`event_media`, compressed once by `pictures`).
"""
