"""A folder of films comes in; pages and data for a browser on the same machine go out.

Start with `app`: it puts the routers together, one a noun under ``/api``, behind `safety`. A router calls `api`,
`batch`, `coding` or a room below and has no logic of its own. `library` knows which films the folder holds and where
their results are, `frame_window` decodes the frames around the place where somebody looks, `job_queue` runs what
`work` does in processes of their own. The page is ``static/``: plain modules and style sheets, nothing to build.
"""
