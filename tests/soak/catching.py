"""Catching: a process is killed at work for certain, and not only by chance."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable

import psutil

LOOK_S = 0.001


def caught(pid: int, is_at_work: Callable[[], bool]) -> bool:
    """Whether a process is at work, as its journal has it: it stands still then, to be killed. Else
    it goes on."""
    process = psutil.Process(pid)
    process.send_signal(signal.SIGSTOP)
    while process.status() != psutil.STATUS_STOPPED:
        time.sleep(LOOK_S)
    if is_at_work():
        return True
    process.send_signal(signal.SIGCONT)
    return False
