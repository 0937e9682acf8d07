"""A file or a folder of images comes in, frames with true times go out.

`reader.open_video` opens anything; start there. `decoding` and `timestamps` make the times right, `orientation` the
picture upright, `ahead` decodes while others work, `writer` writes.
"""
