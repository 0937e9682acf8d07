"""``fleeting WORDS`` in a home of its own, and all that it reached for outside of its folders.

Three witnesses: an audit hook in every Python process, what lies in the home and the working folder at the end, and,
where ``strace`` can be used, the calls of native code too.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

PROGRAM = "from fleeting.cli import main; main()"
SOURCE = Path(__file__).resolve().parents[1] / "src"
HERE = ("127.", "::1", "::ffff:127.", "localhost")
DEVICES = ("/dev/", "/proc/")
_TRACED = "connect,bind,sendto,sendmsg,sendmmsg,open,openat,creat,mkdir,mkdirat,rename,renameat,renameat2"
_ADDRESS = re.compile(r'inet_addr\("([^"]+)"\)|inet_pton\(AF_INET6, "([^"]+)"')
_WRITTEN = re.compile(r'(?:open|openat|creat|mkdir|mkdirat)\((?:AT_FDCWD, )?"([^"]+)", ?(.*)')
_RENAMED = re.compile(r'rename\w*\(.*"([^"]+)"(?:, \w+)?\)')


@dataclass(frozen=True)
class Guarded:
    """What became of a run.

    Attributes
    ----------
    status, said
        Exit status; standard output and error.
    reached
        Addresses beyond this machine, and files outside of the run's folders.
    left
        What lies in the home and the working folder.
    """

    status: int
    said: str
    reached: tuple[str, ...]
    left: tuple[str, ...]


def guarded(*words: str | Path, folder: Path, python: str = sys.executable, program: str = PROGRAM) -> Guarded:
    """Run ``fleeting WORDS``, which may write into `folder` (but not into ``home`` and ``desk`` there)."""
    home, work, temporary, notes, trace = (folder / n for n in ("home", "desk", "tmp", "notes", "trace"))
    for place in (home, work, temporary):
        place.mkdir(parents=True, exist_ok=True)
    notes.touch()
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("XDG_", "FLEETING_", "ORT_", "RAY_"))}
    variables = {
        "HOME": home,
        "TMPDIR": temporary,
        "FLEETING_TEST_NOTES": notes,
        "PYTHONPATH": os.pathsep.join((str(Path(__file__).parent / "guarded"), str(SOURCE))),
        "PYTHONDONTWRITEBYTECODE": "1",
        "OMP_NUM_THREADS": "1",
    }
    strace = ["strace", "-f", "-qq", "-s", "400", "-e", f"trace={_TRACED}", "-o", str(trace)] if can_trace() else []
    done = subprocess.run(
        [*strace, python, "-c", program, *map(str, words)],
        env=kept | {k: str(v) for k, v in variables.items()},
        cwd=work,
        capture_output=True,
        text=True,
        check=False,
    )
    seen = notes.read_text().splitlines()
    if strace:
        seen += [call for line in trace.read_text(errors="replace").splitlines() for call in _of(line, work)]
    reached = tuple(sorted({s for s in seen if not _allowed(s, folder)}))
    return Guarded(done.returncode, done.stdout + done.stderr, reached, tuple(_below(home) + _below(work)))


@lru_cache
def can_trace() -> bool:
    """Whether ``strace`` is installed and allowed to trace."""
    name = shutil.which("strace")
    return name is not None and subprocess.run([name, "-o", os.devnull, "true"], check=False).returncode == 0


def _of(line: str, work: Path) -> list[str]:
    """Return what a line of strace's tells, in the words of the audit hook."""
    found = [f"address {a or b}" for a, b in _ADDRESS.findall(line)]
    written, renamed = _WRITTEN.search(line), _RENAMED.search(line)
    if " = -1 " in line:
        return found
    if written and ("mkdir" in line or "creat(" in line or re.search("O_WRONLY|O_RDWR|O_CREAT", written[2])):
        found.append(f"file {work / written[1]}")
    elif renamed:
        found.append(f"file {work / renamed[1]}")
    return found


def _allowed(reached: str, folder: Path) -> bool:
    kind, where = reached.split(" ", 1)
    if kind == "address":
        return where.startswith(HERE)
    place = Path(where)
    forbidden = any(place.is_relative_to(folder / name) for name in ("home", "desk"))
    return where.startswith(DEVICES) or (place.is_relative_to(folder) and not forbidden)


def _below(folder: Path) -> list[str]:
    return sorted(str(p) for p in folder.rglob("*"))
