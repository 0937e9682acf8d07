"""Jobs: their ids, the store, the engines in this process and in a pool of processes."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scale_work

from fleeting.errors import FleetingWarning, InputError, JobsError, OutputError, SettingsError
from fleeting.scale.engines import ENGINES, make_engine
from fleeting.scale.executor import Engine, InProcess, Outcome, results_of, run
from fleeting.scale.job import Job, fingerprint, package_fingerprint, source_fingerprint
from fleeting.scale.process_pool import ProcessPool
from fleeting.scale.ray_cluster import RayCluster
from fleeting.scale.store import ResultStore

TWO: list[Engine] = [InProcess(), ProcessPool(workers=2)]
both = pytest.mark.parametrize("engine", TWO, ids=["in-process", "processes"])


def numbers(count: int, first: int = 0) -> list[Job]:
    return [Job("number", {"x": x}, name=f"number {x}") for x in range(first, first + count)]


def boom(job: Job, shared: Any) -> dict[str, Any]:
    raise AssertionError("must not be called")


def test_the_id_is_that_of_the_content() -> None:
    job = Job("fold", {"seed": 1, "model": {"c": 0.1, "blur": None}}, name="one")
    same = Job("fold", {"model": {"blur": None, "c": 0.1}, "seed": 1}, name="another name")
    assert job.id == same.id
    assert job.id.startswith("fold-")
    others = [Job("fold", {"seed": 1}), Job("clip", job.content), Job("fold", {**job.content, "seed": 1.0})]
    assert len({job.id, *(o.id for o in others)}) == 4


def test_the_id_stays_the_same_from_one_run_to_the_next() -> None:
    """Results of former runs would be lost if this changed: sha256 of "fold", a line end and the JSON."""
    import hashlib

    digits = hashlib.sha256(b'fold\n{"seed":1,"subject":"\\u00e4"}').hexdigest()
    assert Job("fold", {"subject": "ä", "seed": 1}).id == f"fold-{digits[:20]}"


@pytest.mark.parametrize(
    ("content", "got"),
    [
        ({"path": Path("x")}, "PosixPath"),
        ({"a": {"b": [np.float64(1)]}}, r"float64 .* in content\['a'\]\['b'\]\[0\]"),
        ({"a": float("nan")}, "float nan"),
        ({1: 2}, "1 in content"),
    ],
)
def test_content_is_plain(content: dict[Any, Any], got: str) -> None:
    with pytest.raises(InputError, match=got):
        Job("fold", content)


def test_a_task_is_a_name_for_files() -> None:
    with pytest.raises(InputError, match="'../fold'"):
        Job("../fold", {})


def test_fingerprints_tell_arrays_apart() -> None:
    array = np.arange(6, dtype=np.int64)
    different = [
        *((array,), (array.reshape(2, 3),), (array.astype(np.int32),), (array.tobytes(),), (array.tolist(),)),
        *((array[:3], array[3:]), (array[:4], array[4:]), (array[::-1],)),
    ]
    assert len({fingerprint(*parts) for parts in different}) == len(different)
    assert fingerprint(np.arange(12).reshape(3, 4).T) == fingerprint(np.arange(12).reshape(3, 4).T.copy())
    with pytest.raises(InputError, match="an array of objects"):
        fingerprint(np.array([None]))


def test_fingerprints_of_code() -> None:
    assert source_fingerprint(["motion"]) != source_fingerprint(["motion.flow"]) != package_fingerprint()
    with pytest.raises(InputError, match="'motions'"):
        source_fingerprint(["motions"])


@both
def test_results_come_in_the_order_of_the_jobs(engine: Engine, tmp_path: Path) -> None:
    seen: list[str] = []
    store = ResultStore(tmp_path)
    found = run(numbers(7), scale_work.square, engine=engine, store=store, on_done=lambda o: seen.append(o.job.name))
    assert [o.job.content["x"] for o in found] == list(range(7))
    assert sorted(seen) == [f"number {x}" for x in range(7)]
    for x, result in enumerate(results_of(found)):
        assert result["square"] == x * x
        assert result["row"].tolist() == list(range(x))
    assert store.finished() == {o.job.id for o in found}


@both
def test_a_second_run_computes_only_what_is_new(engine: Engine, tmp_path: Path) -> None:
    store = ResultStore(tmp_path)
    run(numbers(3), scale_work.square, engine=engine, store=store)
    files = {p.name: p.stat().st_mtime_ns for p in tmp_path.iterdir()}
    found = run(numbers(5), scale_work.square, engine=engine, store=store)
    assert [o.kept for o in found] == [True] * 3 + [False] * 2
    assert [r["square"] for r in results_of(found)] == [0, 1, 4, 9, 16]
    assert files.items() <= {p.name: p.stat().st_mtime_ns for p in tmp_path.iterdir()}.items()
    again = run(numbers(5), boom, engine=engine, store=store)
    assert all(o.kept and o.error is None for o in again)
    assert [r["row"].tolist() for r in results_of(again)] == [list(range(x)) for x in range(5)]


@both
def test_one_failure_stops_no_other(engine: Engine, tmp_path: Path) -> None:
    store = ResultStore(tmp_path)
    name = "processes" if isinstance(engine, ProcessPool) else "here"
    jobs = numbers(8)
    found = run(jobs, scale_work.sometimes, engine=engine, store=store, shared=name)
    assert {o.job.content["x"] for o in found if o.error is None} == {0, 6, 7}
    assert store.finished() == {jobs[0].id, jobs[6].id, jobs[7].id}
    errors = [o.error or "" for o in found]
    assert errors[1] == "Expected a clip; got none. Check the path."
    assert errors[2] == "ZeroDivisionError: x is 2"
    assert ("cannot be sent back" if name == "processes" else "is not JSON serializable") in errors[3]
    assert errors[4] == "the memory of the machine is full"
    assert errors[5] == (
        "its process ended without an answer (exit status 3)" if name == "processes" else "ValueError: x is 5"
    )
    with pytest.raises(JobsError, match=rf"all 8 jobs to succeed; got 5 that failed: number 1 \({jobs[1].id}\)") as at:
        results_of(found)
    assert "and 2 more" in str(at.value)


def test_a_process_that_dies_takes_no_other_job_along() -> None:
    jobs = numbers(6)
    found = run(jobs, scale_work.dying, engine=ProcessPool(workers=2))
    assert [o.error is None for o in found] == [True, True, False, True, True, True]
    assert "SIGKILL: perhaps the system was short of memory" in str(found[2].error)


def test_a_stopped_run_keeps_what_was_done_and_leaves_no_process(tmp_path: Path) -> None:
    def stop(outcome: Outcome) -> None:
        if len(done) == 1:
            raise KeyboardInterrupt
        done.append(outcome)

    done: list[Outcome] = []
    store, pool = ResultStore(tmp_path / "store"), ProcessPool(workers=2)
    with pytest.raises(KeyboardInterrupt):
        run(numbers(6), scale_work.square, engine=pool, store=store, on_done=stop)
    kept = store.finished()
    assert 2 <= len(kept) < 6
    found = run(numbers(6), scale_work.square, engine=pool, store=store)
    assert {o.job.id for o in found if o.kept} == kept
    assert len(results_of(found)) == 6


def test_a_killed_run_leaves_no_process_and_no_claim(tmp_path: Path) -> None:
    diary = tmp_path / "diary"
    program = (
        "import scale_work\n"
        "from fleeting.scale.executor import run\n"
        "from fleeting.scale.job import Job\n"
        "from fleeting.scale.process_pool import ProcessPool\n"
        "from fleeting.scale.store import ResultStore\n"
        "if __name__ == '__main__':\n"
        "    jobs = [Job('number', {'x': x}) for x in range(2)]\n"
        f"    run(jobs, scale_work.forever, engine=ProcessPool(workers=2), store=ResultStore({str(tmp_path)!r}),\n"
        f"        shared={str(diary)!r})\n"
    )
    script = tmp_path / "script.py"
    script.write_text(program)
    process = subprocess.Popen(
        [sys.executable, str(script)], env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    )
    workers = [int(line.split()[2]) for line in lines(diary, 2)]
    with pytest.raises(OutputError, match="another run that is at work there"):
        run(numbers(1), scale_work.square, store=ResultStore(tmp_path))
    process.kill()
    process.wait()
    for worker in workers:  # asleep in their jobs; they end when they find nobody to answer to
        os.kill(worker, 15)
    assert len(results_of(run(numbers(1), scale_work.square, store=ResultStore(tmp_path)))) == 1


def lines(path: Path, count: int) -> list[str]:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found = path.read_text().splitlines() if path.exists() else []
        if len(found) >= count:
            return found
        time.sleep(0.05)
    raise AssertionError(f"{path} did not get {count} lines")


@both
def test_shared_data_reaches_every_job(engine: Engine) -> None:
    big = np.ones((400, 400), np.int64)  # more than a pipe holds
    found = results_of(run(numbers(8), scale_work.plus_shared, engine=engine, shared={"big": big}))
    assert [r["sum"] for r in found] == [160_000 + x for x in range(8)]
    elsewhere = {r["process"] for r in found} - {os.getpid()}
    assert bool(elsewhere) == isinstance(engine, ProcessPool)


def test_warnings_of_other_processes_are_shown_here() -> None:
    with pytest.warns(FleetingWarning, match="number 0: the clip is short") as seen:
        run(numbers(1), scale_work.warning, engine=ProcessPool(workers=1))
    assert len(seen) == 1


def test_processes_share_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr("fleeting.scale.process_pool.cores", lambda: 6)
    (found,) = results_of(run(numbers(1), scale_work.threads, engine=ProcessPool(workers=2)))
    assert found["threads"] == "3"
    assert "OMP_NUM_THREADS" not in os.environ


def test_a_function_that_cannot_be_sent() -> None:
    with pytest.raises(InputError, match="a function of a module"):
        run(numbers(1), lambda job, shared: {}, engine=ProcessPool(workers=1))
    with pytest.raises(InputError, match="a function of a module"):
        run(numbers(1), functools.partial(boom, shared=open), engine=ProcessPool(workers=1), shared=sys)


def test_two_jobs_of_one_content() -> None:
    with pytest.raises(InputError, match="'a' and 'b' of the same content"):
        run([Job("fold", {"x": 1}, name="a"), Job("fold", {"x": 1}, name="b")], boom)


def test_a_damaged_result_is_made_again(tmp_path: Path) -> None:
    store = ResultStore(tmp_path)
    run(numbers(2), scale_work.square, store=store)
    for job in numbers(2):
        path = tmp_path / f"{job.id}.npz"
        path.write_bytes(path.read_bytes()[:-40])
    with pytest.warns(FleetingWarning, match=r"number-\w+.npz is damaged .* the job is done again") as seen:
        found = run(numbers(2), scale_work.square, store=store)
    assert len(seen) == 2
    assert [o.kept for o in found] == [False, False]
    assert all(o.kept for o in run(numbers(2), boom, store=store))


def test_a_result_that_the_disk_does_not_give_is_not_thrown_away(tmp_path: Path) -> None:
    store, (job,) = ResultStore(tmp_path), numbers(1)
    (tmp_path / f"{job.id}.json").mkdir()  # as a disk that fails, also for a user who may read everything
    with pytest.raises(OutputError, match=f"{job.id}.json"):
        run([job], boom, store=store)
    assert (tmp_path / f"{job.id}.json").exists()


@pytest.mark.filterwarnings("ignore::fleeting.errors.FleetingWarning")
def test_however_a_result_is_damaged(tmp_path: Path) -> None:
    """Turn over single bytes all over the file, or cut it there: it is whole, or it is none."""
    store, (job,) = ResultStore(tmp_path), numbers(1, first=40)
    path = store.write(job, scale_work.square(job, None))
    content = path.read_bytes()
    for place in range(0, len(content), 3):
        for damaged in (content[:place], content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :]):
            path.write_bytes(damaged)
            found = store.read(job)
            assert found is None or (found["square"], found["row"].tolist()) == (1600, list(range(40)))


def test_a_result_is_written_once(tmp_path: Path) -> None:
    store, (job,) = ResultStore(tmp_path), numbers(1)
    store.write(job, {"x": 1, "nested": {"rows": [1, 2.5, None, "ä"]}})
    store.write(job, {"x": 2})
    assert store.read(job) == {"x": 1, "nested": {"rows": [1, 2.5, None, "ä"]}}
    assert '"content": {' in (tmp_path / f"{job.id}.json").read_text()


@pytest.mark.parametrize(
    "result", [None, 3, {"x": {1}}, {"x": np.array([None])}, {"job": np.zeros(2)}, {1: 2}, {"x": np.float32(1)}]
)
def test_results_that_cannot_be_kept(result: Any, tmp_path: Path) -> None:
    (job,) = numbers(1)
    (found,) = run([job], lambda job, shared: result, store=ResultStore(tmp_path))
    assert found.error is not None
    assert found.result is None
    assert ResultStore(tmp_path).finished() == set()


def test_a_store_where_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="a file where a folder is needed"):
        run(numbers(1), scale_work.square, store=ResultStore(tmp_path / "file" / "store"))


def test_engines_by_name() -> None:
    assert isinstance(make_engine(), InProcess)
    assert isinstance(make_engine(workers=1), InProcess)
    assert isinstance(make_engine(workers=3), ProcessPool)
    assert isinstance(make_engine(address="auto"), RayCluster)
    for name in ENGINES:
        assert type(make_engine(name)).__name__ in ("InProcess", "ProcessPool", "RayCluster")
    with pytest.raises(SettingsError, match="Did you mean 'processes'"):
        make_engine("process")
    with pytest.raises(SettingsError, match="--jobs 2. Choose --engine processes"):
        make_engine("in-process", workers=2)
    with pytest.raises(SettingsError, match="an address only with the engine ray"):
        make_engine("processes", address="auto")
    for name in ("processes", "ray"):
        with pytest.raises(InputError, match="at least 1 job at a time; got 0"):
            make_engine(name, workers=0)
