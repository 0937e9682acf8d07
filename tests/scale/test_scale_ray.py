"""Jobs on a real Ray cluster of two nodes on this machine, one of which is killed while it works."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import scale_work

from fleeting.errors import FleetingWarning, InputError
from fleeting.scale.executor import Outcome, results_of, run
from fleeting.scale.job import Job
from fleeting.scale.ray_cluster import RayCluster
from fleeting.scale.store import ResultStore

ray = pytest.importorskip("ray", reason="Ray comes with the extra research")
pytestmark = [
    # Of Ray's own processes and sockets, and of what it warns its developers of.
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning", "ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    # Where the code is edited while the tests run.
    pytest.mark.filterwarnings("ignore:.*another version of Fleeting's code"),
]
STORE_BYTES = 80 * 1024 * 1024
JOBS = [Job("number", {"x": x}, name=f"number {x}") for x in range(12)]


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A cluster whose head does no jobs; nodes are added by the tests."""
    from ray.cluster_utils import Cluster

    # Ray's processes import the functions of `scale_work`, as they would those of an installed package.
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    head = {"num_cpus": 0, "object_store_memory": STORE_BYTES, "include_dashboard": False}
    made = Cluster(initialize_head=True, head_node_args=head)
    try:
        yield made
    finally:
        ray.shutdown()
        made.shutdown()


def entries(diary: Path) -> list[tuple[str, str, str]]:
    """What began or ended, the job, and the node."""
    lines = diary.read_text().splitlines() if diary.exists() else []
    return [(what, job, node) for what, job, node in (line.split() for line in lines)]


def count(seen: Counter[str], outcome: Outcome) -> None:
    seen[outcome.job.id] += 1


def test_a_node_is_killed_in_the_middle(cluster: Any, tmp_path: Path) -> None:
    stays, goes = (cluster.add_node(num_cpus=1, object_store_memory=STORE_BYTES) for _ in range(2))
    cluster.wait_for_nodes()
    diary, store = tmp_path / "diary", ResultStore(tmp_path / "store")
    interrupted: list[str] = []

    def kill() -> None:
        """Kill the node as soon as it is in the middle of a job and the other one is at work too."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and not interrupted:
            time.sleep(0.05)
            lines = entries(diary)
            if {stays.node_id, goes.node_id} <= {node for _, _, node in lines}:
                (last, job, _), *_ = [line for line in reversed(lines) if line[2] == goes.node_id]
                interrupted.extend([job] if last == "begin" else [])
        cluster.remove_node(goes, allow_graceful=False)

    killer = threading.Thread(target=kill)
    killer.start()
    seen = Counter[str]()
    engine = RayCluster(address=cluster.address)
    found = run(JOBS, scale_work.diary, engine=engine, store=store, shared=str(diary), on_done=lambda o: count(seen, o))
    killer.join()

    assert [r["square"] for r in results_of(found)] == [x * x for x in range(12)]
    assert all((o.result or {})["row"].tolist() == [o.job.content["x"]] * 30_000 for o in found)
    assert seen == Counter(j.id for j in JOBS), "each job was recorded once"
    assert store.finished() == {j.id for j in JOBS}
    assert len(list(store.folder.glob("number-*"))) == 12
    lost = interrupted[0]
    there, here = (("begin", lost, n.node_id) in entries(diary) for n in (goes, stays))
    assert there, "the killed node had begun it"
    assert here, "so the other one began it again"
    assert ("end", lost, goes.node_id) not in entries(diary)
    assert Counter(job for what, job, _ in entries(diary) if what == "end") >= Counter(str(x) for x in range(12))

    assert not ray.is_initialized(), "the connection ends with the run"
    again = run(JOBS, scale_work.forever, engine=engine, store=store)
    assert all(o.kept for o in again)


def test_failures_over_a_connection_that_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))
    jobs = [Job("number", {"x": x}) for x in (0, 1, 2, 3, 5)]
    ray.init("local", num_cpus=1, include_dashboard=False, object_store_memory=STORE_BYTES, log_to_driver=False)
    try:
        found = run(jobs, scale_work.sometimes, engine=RayCluster(), store=ResultStore(tmp_path), shared="ray")
        assert ray.is_initialized(), "a connection that was there stays"
    finally:
        ray.shutdown()
    assert [o.error is None for o in found] == [True, False, False, False, False]
    assert found[1].error == "Expected a clip; got none. Check the path."
    assert found[2].error == "ZeroDivisionError: x is 2"
    assert "is not JSON serializable" in str(found[3].error)
    assert "ValueError: x is 5" in str(found[4].error)
    assert ResultStore(tmp_path).finished() == {jobs[0].id}


def test_a_ray_of_its_own_ends_with_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))
    monkeypatch.setattr("fleeting.scale.ray_cluster.package_fingerprint", lambda: "that of another version")
    asked_to_stop = signal.getsignal(signal.SIGTERM)
    with pytest.warns(FleetingWarning) as seen:
        (found,) = run(JOBS[:1], scale_work.warning, engine=RayCluster(workers=1))
    assert found.error is None
    texts = [str(w.message) for w in seen if w.category is FleetingWarning]
    assert len(texts) == 2
    assert "holds another version of Fleeting's code than this machine" in texts[0]
    assert texts[1] == "number 0: the clip is short"
    assert not ray.is_initialized()
    assert signal.getsignal(signal.SIGTERM) is asked_to_stop


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_is_that_of_the_program(number: signal.Signals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Stopped(BaseException):
        pass

    def stop(*_: object) -> None:
        raise Stopped

    def tell() -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and not (tmp_path / "diary").exists():
            time.sleep(0.05)
        time.sleep(0.3)  # until Ray waits again
        os.kill(os.getpid(), number)

    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))
    stop_of_mine = signal.default_int_handler if number == signal.SIGINT else stop
    former = signal.signal(number, stop_of_mine)
    teller = threading.Thread(target=tell)
    teller.start()
    try:
        with pytest.raises(KeyboardInterrupt if number == signal.SIGINT else Stopped):
            run(JOBS[:2], scale_work.forever, engine=RayCluster(workers=1), shared=str(tmp_path / "diary"))
        assert signal.getsignal(number) is stop_of_mine
        assert not ray.is_initialized()
    finally:
        teller.join()
        signal.signal(number, former)


def test_no_cluster_at_the_address() -> None:
    for address in ("127.0.0.1:1", "ray://127.0.0.1:1"):
        with pytest.raises(InputError, match=rf"a Ray cluster at {address}; got .*refused. Start one with 'ray start"):
            run(JOBS[:1], scale_work.square, engine=RayCluster(address=address))
