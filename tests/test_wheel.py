"""The wheel: what a user installs works on its own, far from the checkout."""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path
from zipfile import ZipFile

import pytest

CHECKOUT = Path(__file__).parents[1]

FIRST_STEPS = """
import rmq
c = rmq.connect()
q = c.create_queue('orders')
q.send(b'hello')
print(q.receive()[0].body)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The wheel made from the sdist, so that the sdist is seen to hold all it takes."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, CHECKOUT)
    [found] = folder.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Path:
    """A folder that holds the installed wheel and nothing else."""
    folder = tmp_path_factory.mktemp("installed")
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check")
    run(*pip, "install", "--quiet", "--no-index", "--no-deps", "--target", folder, wheel)
    return folder


@pytest.mark.parametrize("path", ["rmq/lua/queues/send.lua", "rmq/py.typed"])
def test_the_wheel_carries_what_is_not_python(wheel, path):
    assert path in ZipFile(wheel).namelist()


def test_the_wheel_holds_the_package_and_nothing_beside_it(wheel):
    tops = {name.split("/")[0] for name in ZipFile(wheel).namelist()}

    assert {"rmq"} == {top for top in tops if not top.endswith(".dist-info")}


def test_the_installed_wheel_is_the_one_that_is_imported(installed, tmp_path):
    """Or the next test would try the checkout."""
    output = python("import rmq; print(rmq.__file__)", installed, tmp_path)

    assert Path(output) == installed / "rmq/__init__.py"


def test_the_first_steps_work_from_the_installed_wheel(installed, tmp_path):
    assert python(FIRST_STEPS, installed, tmp_path) == "b'hello'"


def python(code: str, installed: Path, folder: Path) -> str:
    """Run *code* in *folder* with the installed wheel and its dependencies, not the checkout.

    -S leaves out site, and with it the .pth file by which an editable install names the checkout.
    """
    dependencies = sysconfig.get_path("purelib"), sysconfig.get_path("platlib")
    path = os.pathsep.join([str(installed), *dependencies])
    environment = {name: value for name, value in os.environ.items() if name[:4] != "RMQ_"}
    return run(
        *(sys.executable, "-S", "-c", code),
        cwd=folder,
        env={**environment, "PYTHONPATH": path},
    )


def run(*command: str | Path, **options) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()
