"""The workbench on a port of this machine, until Ctrl-C."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import warnings
import webbrowser
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from fleeting.errors import FleetingWarning, InputError, MissingExtraError, OutputError

if TYPE_CHECKING:
    import uvicorn

PORT = 8765
"""The port where none is asked for; a free one where it is taken."""

PATIENCE_S = 5
"""Seconds that requests have to end when the server is stopped."""

HERE = ("127.0.0.1", "localhost", "::1")


def serve(
    folder: str | Path,
    *,
    port: int | None = None,
    host: str = "127.0.0.1",
    upload_limit: int | None = None,
    browser: bool = True,
    on_ready: Callable[[str], None],
) -> None:
    """Serve a folder of films until the program is stopped.

    Parameters
    ----------
    folder
        Of the films.
    port
        0 for any free one; `PORT`, or a free one where that is taken, where None.
    host
        Address on which the server listens; others than 127.0.0.1 let other machines in.
    upload_limit
        Most bytes of a film that is sent; the default where None.
    browser
        Whether to open the page in the user's browser.
    on_ready
        Called with the address to open, once the server answers there.

    Raises
    ------
    MissingExtraError
        Without the extra ``web``.
    InputError
        Where there is no such folder, the port is taken, or the address is not this machine's.
    OutputError
        Where nothing can be written into the folder.
    """
    try:
        import uvicorn
        import websockets  # noqa: F401  uvicorn finds it by itself, and says nothing where it is missing

        from fleeting.web import app
    except ImportError as error:
        if (error.name or "").startswith("fleeting"):
            raise
        raise MissingExtraError("web", "the workbench") from error
    _check_writable(Path(folder))
    warnings.simplefilter("ignore", FleetingWarning)  # the page shows what is worth it (`heard`)
    with contextlib.closing(listen(host, port)) as listener:
        name = host if host not in ("0.0.0.0", "::") else "127.0.0.1"
        names = () if host in HERE else ("*", socket.gethostname(), host)
        made = app.create_app(folder, hosts=names, upload_limit=upload_limit or app.UPLOAD_LIMIT, probe=True)
        shown = f"[{name}]" if ":" in name else name
        address = f"http://{shown}:{listener.getsockname()[1]}/?token={made.token}"
        config = uvicorn.Config(
            made,
            log_level="warning",
            server_header=False,
            access_log=False,
            timeout_graceful_shutdown=PATIENCE_S,
        )
        server = uvicorn.Server(config)
        with contextlib.suppress(KeyboardInterrupt):  # this is how it is stopped
            asyncio.run(_run(server, listener, lambda: _ready(address, browser, on_ready), made.app.state.queue.close))


def listen(host: str, port: int | None) -> socket.socket:
    """Return a socket that listens on a port; see `serve`.

    Raises
    ------
    InputError
        Where the port is taken or not allowed, or the address is not this machine's.
    """
    wanted = [PORT, 0] if port is None else [port]
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for place, one in enumerate(wanted):
        # With its protocol named, or asyncio would not see that it is TCP, and small pictures would wait for 40 ms.
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((host, one))
            listener.listen(128)
            return listener
        except OSError as error:
            listener.close()
            if error.errno in (errno.EADDRINUSE, errno.EACCES) and place + 1 < len(wanted):
                continue
            got = f"{host}:{one} ({error.strerror or error})"
            raise InputError("an address of this machine with a free port", got, "Choose --port 0.") from error
    raise AssertionError("a port was tried")


def _ready(address: str, browser: bool, on_ready: Callable[[str], None]) -> None:
    on_ready(address)
    if browser:
        with contextlib.suppress(webbrowser.Error):
            webbrowser.open(address)


async def _run(
    server: uvicorn.Server, listener: socket.socket, ready: Callable[[], None], end: Callable[[], None]
) -> None:
    """Run until a signal comes; then `end` lets go what would keep connections open."""
    running = asyncio.create_task(server.serve(sockets=[listener]))
    loop = asyncio.get_running_loop()
    while not server.started and not running.done():
        await asyncio.sleep(0.02)
    if server.started:
        await loop.run_in_executor(None, ready)
    while not running.done():
        if server.should_exit:
            await loop.run_in_executor(None, end)
            break
        await asyncio.sleep(0.1)
    await running


def _check_writable(folder: Path) -> None:
    from fleeting.results import check_writable

    if not folder.is_dir():
        raise InputError("a folder of films", f"{folder}, which is no folder", "Check the path, or make it.")
    try:
        check_writable(folder / "fleeting-output")
    except OutputError as error:
        raise OutputError(error.expected, error.got, "The workbench keeps its results there.") from error
