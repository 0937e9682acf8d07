"""Jobs beyond one core and beyond one machine: in this process, in a pool of processes, or on a Ray cluster.

``run(jobs, function, store=ResultStore(folder), engine=make_engine("processes", workers=4))`` computes every job once,
keeps its result as soon as it is there, and goes on where a stopped run was.
"""

from __future__ import annotations
