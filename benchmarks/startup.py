"""How quickly the command line answers: ``python benchmarks/startup.py``.

Each command is run as a process of its own, the commands in turn so that other work on the machine meets all of them
alike; one run of each before counting fills the disk's cache. Wall time is what a person waits for; processor time
depends less on what else runs. Bare Python (``python -c pass``) is what no command can be quicker than. Writes
``results/startup.json``. Reach: ``fleeting --help`` and ``fleeting --version`` under 0.5 s of wall time (median).
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

REACH_S = 0.5
BARE = "python -c pass"
COMMANDS: dict[str, list[str]] = {
    BARE: [sys.executable, "-c", "pass"],
    "fleeting --help": [sys.executable, "-m", "fleeting", "--help"],
    "fleeting --version": [sys.executable, "-m", "fleeting", "--version"],
}


def once(command: list[str]) -> tuple[float, float]:
    """Wall and processor seconds of one run."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    wall = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure(repeats: int) -> dict[str, dict[str, float]]:
    """Median and least wall seconds and median processor seconds of every command."""
    for command in COMMANDS.values():
        once(command)
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in COMMANDS}
    for _ in range(repeats):
        for name, command in COMMANDS.items():
            times[name].append(once(command))
    result = {}
    for name, pairs in times.items():
        wall, processor = zip(*pairs, strict=True)
        result[name] = {
            "wall_s": round(statistics.median(wall), 4),
            "wall_s_least": round(min(wall), 4),
            "processor_s": round(statistics.median(processor), 4),
        }
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--out", type=Path, default=Path(__file__).resolve().parent / "results" / "startup.json")
    options = parser.parse_args()
    commands = measure(options.repeats)
    bare = commands[BARE]["wall_s"]
    for row in commands.values():
        row["times_bare_python"] = round(row["wall_s"] / bare, 2)
    result = {
        "command": "python benchmarks/startup.py",
        "repeats": options.repeats,
        "processors": os.cpu_count(),
        "load_average": round(os.getloadavg()[0], 2),
        "python": sys.version.split()[0],
        "reach_s": REACH_S,
        "reached": all(row["wall_s"] < REACH_S for row in commands.values()),
        "commands": commands,
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    for name, row in commands.items():
        print(f"{name:20} {row['wall_s']:.3f} s (least {row['wall_s_least']:.3f}, processor {row['processor_s']:.3f})")


if __name__ == "__main__":
    main()
