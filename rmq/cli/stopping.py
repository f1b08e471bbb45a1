"""Stopping: commands that work until a signal ends them, in a loop of their own."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys

from rmq.cli import failures


class Stop:
    """The signals that end the command. The second one ends it at once: what is under way then is
    given up, and others find it in a minute, or this command when it is started again."""

    def __init__(self) -> None:
        self.wanted = asyncio.Event()
        self.status = failures.DONE
        """What the command then ends with."""
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._got, number)

    def _got(self, number: int) -> None:
        if self.wanted.is_set():
            sys.exit(failures.INTERRUPTED)
        if number == signal.SIGINT:
            self.status = failures.INTERRUPTED
        self.wanted.set()


def runner() -> asyncio.Runner:
    """uvloop where it is installed: it comes with rmq[endpoint]."""
    try:
        import uvloop
    except ImportError:
        return asyncio.Runner()
    return asyncio.Runner(loop_factory=uvloop.new_event_loop)


def log_to_stderr() -> None:
    """Say on stderr what the library logs."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    log = logging.getLogger("rmq")
    log.addHandler(handler)
    log.setLevel(logging.INFO)
