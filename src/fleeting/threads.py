"""Results that depend neither on the cores of a machine nor on the process in which they are made."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Let linear algebra use one thread while the block lasts.

    With more, OpenBLAS splits a sum into as many parts as there are threads (with its kernels for AMD's Zen and Intel's
    Haswell processors, for example). The last digits then depend on the number of cores, on ``OMP_NUM_THREADS``, and on
    how many jobs share the machine. The products here are small: one thread is not slower.
    """
    import numpy  # noqa: F401  only a library that is loaded can be limited
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, user_api="blas"):
        yield
