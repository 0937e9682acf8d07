"""Many jobs through one door: each is computed once, kept as soon as it is there, and its failure stops no other."""

from __future__ import annotations

import contextlib
import logging
import traceback
import warnings
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from fleeting.errors import FleetingError, FleetingWarning, InputError, JobsError
from fleeting.scale.job import Job, Result
from fleeting.scale.store import ResultStore
from fleeting.threads import one_blas_thread

log = logging.getLogger(__name__)

Work = Callable[[Job, Any], Result]
"""Computes one job from the job and what all jobs share; engines beyond this process import it by module and name."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """What became of one job where it ran.

    Attributes
    ----------
    result
        None where it failed.
    error, trace
        One line for the user and the trace for the log; None where it did not fail.
    warnings
        Texts of the `FleetingWarning`s meanwhile; those of another process, which cannot show them itself.
    """

    result: Result | None = None
    error: str | None = None
    trace: str | None = None
    warnings: tuple[str, ...] = ()


Attempts = Generator[tuple[int, Attempt], None, None]
"""Place of a job and what became of it, as jobs end; closing it early ends what still runs."""


class Engine(Protocol):
    """Where jobs run."""

    def attempts(self, jobs: Sequence[Job], function: Work, shared: Any) -> Attempts:
        """Give the place in `jobs` of each job as it ends, in any order, and what became of it; each once."""
        ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one job of a run.

    Attributes
    ----------
    job
        The job.
    result
        None where it failed.
    error
        Why it failed, in one line; None where it did not.
    kept
        Whether the result was in the store already.
    """

    job: Job
    result: Result | None = None
    error: str | None = None
    kept: bool = False


class InProcess:
    """The jobs one after the other, here: nothing is copied, and a debugger sees all."""

    def attempts(self, jobs: Sequence[Job], function: Work, shared: Any) -> Attempts:
        """Give each job's place and attempt, in order."""
        for place, job in enumerate(jobs):
            yield place, attempt(job, function, shared)


def run(
    jobs: Sequence[Job],
    function: Work,
    *,
    store: ResultStore | None = None,
    engine: Engine | None = None,
    shared: Any = None,
    on_done: Callable[[Outcome], None] | None = None,
) -> list[Outcome]:
    """Do every job once, and return what became of each, in the order of `jobs`.

    Parameters
    ----------
    jobs
        Each with an id of its own.
    function
        Called with a job and `shared`. Beyond this process it has to be a function of a module, or a
        `functools.partial` of one, and gives the same result wherever it runs.
    store
        Results found there are not computed again; each new one is written there as soon as its job ends, so that a
        run that was stopped goes on where it was. Without a store, results are in the outcomes alone.
    engine
        Where the jobs run (`engines.make_engine`); one after the other in this process where None.
    shared
        Given to every call; sent once to every process, not with every job.
    on_done
        Called in this process after each job, in the order in which they end.

    Raises
    ------
    InputError
        For two jobs of one id.
    OutputError
        Where a result cannot be written: the run ends, since it would not fit for the others either.
    """
    _check_ids(jobs)
    outcomes: dict[int, Outcome] = {}

    def done(place: int, outcome: Outcome) -> None:
        outcomes[place] = outcome
        if on_done is not None:
            on_done(outcome)

    with store.claimed() if store is not None else contextlib.nullcontext():
        waiting: list[int] = []
        for place, job in enumerate(jobs):
            result = None if store is None else store.read(job)
            if result is None:
                waiting.append(place)
            else:
                done(place, Outcome(job, result, kept=True))
        attempts = (engine or InProcess()).attempts([jobs[p] for p in waiting], function, shared)
        with contextlib.closing(attempts) as running:
            for number, made in running:
                done(waiting[number], _kept(jobs[waiting[number]], made, store))
    return [outcomes[place] for place in range(len(jobs))]


def results_of(outcomes: Sequence[Outcome]) -> list[Result]:
    """Return the results of a run in which every job succeeded.

    Raises
    ------
    JobsError
        Where one failed; it names each failed job with its id.
    """
    failed = [f"{o.job.label} ({o.job.id}): {o.error}" for o in outcomes if o.error is not None]
    if failed:
        more = f"; and {len(failed) - 3} more" if len(failed) > 3 else ""
        raise JobsError(
            f"all {len(outcomes)} jobs to succeed",
            f"{len(failed)} that failed: {'; '.join(failed[:3])}{more}",
            "Mend what they say and give the same command again: what is done is kept.",
        )
    return [o.result for o in outcomes if o.result is not None]


def attempt(job: Job, function: Work, shared: Any) -> Attempt:
    """Compute one job; what it raises becomes its error. Engines call this where the job runs."""
    try:
        with one_blas_thread():  # as many in every engine
            return Attempt(function(job, shared))
    except MemoryError:
        return Attempt(error="the memory of the machine is full", trace=traceback.format_exc())
    except FleetingError as error:
        return Attempt(error=str(error), trace=traceback.format_exc())
    except Exception as error:
        return Attempt(error=f"{type(error).__name__}: {error}", trace=traceback.format_exc())


def attempt_apart(job: Job, function: Work, shared: Any) -> Attempt:
    """As `attempt`, in another process: what it warns of is brought back, not shown there."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", FleetingWarning)
        made = attempt(job, function, shared)
    texts = tuple(str(w.message) for w in caught if issubclass(w.category, FleetingWarning))
    return Attempt(made.result, made.error, made.trace, texts)


def _kept(job: Job, made: Attempt, store: ResultStore | None) -> Outcome:
    for text in made.warnings:
        warnings.warn(f"{job.label}: {text}", FleetingWarning, stacklevel=3)
    if made.error is not None or made.result is None:
        log.info("job %s (%s) failed\n%s", job.id, job.label, made.trace)
        return Outcome(job, error=made.error or "it returned nothing")
    if store is not None:
        try:
            store.write(job, made.result)
        except InputError as error:
            return Outcome(job, error=str(error))
    return Outcome(job, made.result)


def _check_ids(jobs: Sequence[Job]) -> None:
    seen: dict[str, Job] = {}
    for job in jobs:
        if job.id in seen:
            raise InputError(
                "an id for each job",
                f"'{seen[job.id].label}' and '{job.label}' of the same content ({job.id})",
                "Give each job once, or add to the content what tells them apart.",
            )
        seen[job.id] = job
