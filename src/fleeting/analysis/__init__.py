"""A video comes in, a timeline goes out.

`analyse.analyse_video` is the whole way; start there. The first look (`first_look`) reads every frame once and keeps
only numbers; `kept_look` has its costly answers on disk, for a run that is killed. `spotting` turns these numbers into
events. The second look (`second_look`) reads the frames of each event again for its class and its pictures
(`event_media`, compressed once by `pictures`).
"""
