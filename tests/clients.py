"""Clients: AWS's own, as their users have them, installed when a test first needs one.

They are not in the `dev` extra: three of them bring a botocore each, and none may be another's or
ours. So each has a folder of its own beside the packages of the environment the tests run in,

    .venv/clients/<name>-<hash of what is pinned>/

which is filled from pip's or npm's registry once, in seconds, and kept until `make clean`. A
registry that cannot be reached fails the tests: an endpoint nobody spoke to is not a tested one.
Only a machine without Node skips Node's.

Left out: clients that need a toolchain of their own, such as those for Java and Go.
"""

import fcntl
import hashlib
import os
import re
import secrets
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

OLD_BOTO3 = ("boto3==1.34.89", "botocore==1.34.89")
"""The last that speak SQS's query protocol, forms and XML. From 1.34.90 on it is JSON."""

AWS_CLI = ("awscli==1.46.3",)
"""Version 1, as it was when these tests were written: version 2 is not on pip's registry."""

NODE_SDK = (
    "@aws-sdk/client-sqs@3.1169.0",
    "@aws-sdk/client-sns@3.1169.0",
    "@aws-sdk/client-kinesis@3.1143.0",
)
"""Version 3, as it was when these tests were written. SQS's checks the MD5 of every body, Kinesis's
speaks HTTP/2."""

AIOBOTOCORE = ("aiobotocore[boto3]==3.10.0",)
"""As it was when these tests were written, with the boto3 and the botocore that it wants."""

NODE_AT_LEAST = 20
"""The oldest Node that NODE_SDK runs on."""

INSTALL_DEADLINE = 300
"""Seconds for one installation. It takes 10; the rest is for a slow network."""

RUN_DEADLINE = 60
"""Seconds for one run of a client. It takes 1 or 2; the rest is for a machine that is busy."""

FIRST_RUN_DEADLINE = 2 * INSTALL_DEADLINE
"""Seconds for the `timeout` of a test that may have to install first, or wait for who does."""

SAID_LAST = 15
"""How many lines of a failed installation's output are worth reading."""


def old_boto3() -> Path:
    """Return the python of an environment that has OLD_BOTO3. Fails the test."""
    return _installed("old-boto3", OLD_BOTO3, _install_by_pip) / "bin/python"


def aws_cli() -> Path:
    """Return the `aws` of an environment that has AWS_CLI. Fails the test."""
    return _installed("aws-cli", AWS_CLI, _install_by_pip) / "bin/aws"


def node_sdk() -> Path:
    """Return a folder whose node_modules have NODE_SDK. Skips the test, or fails it."""
    why_not = _why_no_node()
    if why_not:
        pytest.skip(f"{why_not}: install Node {NODE_AT_LEAST} or newer, with npm, to run this test")
    return _installed("node-sdk", NODE_SDK, _install_by_npm)


def aiobotocore() -> Path:
    """Return the python of an environment that has AIOBOTOCORE, and us with it. Fails the test."""
    pins = (*AIOBOTOCORE, *_our_own_needs())
    return _installed("aiobotocore", pins, _install_by_pip_and_us) / "bin/python"


def environment() -> dict[str, str]:
    """Return the variables to run a client with: credentials of an account that nobody else has.

    The endpoint takes the account from an access key of 12 digits, so what one test makes, no
    other sees. What this machine has set for AWS, Python or a proxy does not reach the client.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if not (name.startswith(("AWS_", "PYTHON")) or name.lower().endswith("_proxy"))
    }
    return kept | {
        "AWS_ACCESS_KEY_ID": str(10**11 + secrets.randbelow(9 * 10**11)),
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",  # boto3 and the CLI
        "AWS_REGION": "us-east-1",  # Node
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_MAX_ATTEMPTS": "1",  # a second attempt would hide that the first failed
        "PYTHONUTF8": "1",  # whatever the locale, the words on a command line are UTF-8
    }


def run(*command: str | Path, env: Mapping[str, str], **options: object) -> str:
    """Run a client to its end and return what it printed. Fails the test with all that it said."""
    done = _run(*command, env=env, timeout=RUN_DEADLINE, **options)
    if done.returncode != 0:
        pytest.fail(f"{done.stdout}{done.stderr}", pytrace=False)
    return done.stdout


# --- Installing --------------------------------------------------------------------------------


def _installed(
    name: str, pins: tuple[str, ...], install: Callable[[Path, tuple[str, ...]], None]
) -> Path:
    """Return the folder that has *pins*, which *install* fills if nobody has yet.

    Filled in place, since an environment cannot be moved: its scripts hold its path. So it counts
    only with the stamp that is written last. The lock is the kernel's, which takes it from a
    process that dies; whoever comes next finds no stamp and starts afresh.
    """
    what = hashlib.sha256("\n".join([sys.version, *pins]).encode()).hexdigest()[:12]
    folder = Path(sys.prefix, "clients", f"{name}-{what}")
    stamp = folder / "installed"
    folder.parent.mkdir(exist_ok=True)
    # Beside the folder, not in it: who clears the folder would take the lock file from under those
    # that wait for it.
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stamp.exists():
            shutil.rmtree(folder, ignore_errors=True)
            install(folder, pins)
            stamp.touch()
    return folder


def _install_by_pip(folder: Path, pins: tuple[str, ...]) -> None:
    _install(sys.executable, "-m", "venv", "--without-pip", folder)
    # With our own pip: to give the folder one would take longer than what it is for.
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")
    _install(*pip, "--python", folder / "bin/python", "install", "--no-compile", *pins)


def _install_by_pip_and_us(folder: Path, pins: tuple[str, ...]) -> None:
    """Editable: what the tests run is what is here now, and not what was when it was installed."""
    _install_by_pip(folder, pins)
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")
    _install(*pip, "--python", folder / "bin/python", "install", "--no-deps", "--editable", ROOT)


def _our_own_needs() -> tuple[str, ...]:
    """What `rmq[boto3]` requires."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return (*project["dependencies"], *project["optional-dependencies"]["boto3"])


def _install_by_npm(folder: Path, pins: tuple[str, ...]) -> None:
    quiet = ("--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error")
    _install("npm", "install", "--prefix", folder, "--ignore-scripts", *quiet, *pins)


def _install(*command: str | Path) -> None:
    try:
        done = _run(*command, timeout=INSTALL_DEADLINE)
    except subprocess.TimeoutExpired as error:
        pytest.fail(str(error), pytrace=False)
    if done.returncode != 0:
        last = "\n".join((done.stdout + done.stderr).splitlines()[-SAID_LAST:])
        pytest.fail(f"could not install: {' '.join(map(str, command))}\n{last}", pytrace=False)


def _why_no_node() -> str | None:
    for name in ("node", "npm"):
        if shutil.which(name) is None:
            return f"no {name} on PATH"
    version = _run("node", "--version", timeout=RUN_DEADLINE).stdout.strip()
    major = re.match(r"v(\d+)\.", version)
    if major is None or int(major[1]) < NODE_AT_LEAST:
        return f"node is {version or 'broken'}"
    return None


def _run(*command: str | Path, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        **{"stdin": subprocess.DEVNULL, **options},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
