"""Watching: being woken when a file changes, where the system tells (watchfiles, `rmq[files]`).

It only says that it is worth looking; what changed, the look finds. So a change that nobody was
told of (a network file system's) is found at the next look that comes by time.
"""

from __future__ import annotations

import asyncio
import contextlib
import glob
import logging
import os
from collections.abc import Sequence
from typing import Any

POLL_S = 0.25
"""Between two looks where nobody tells."""
TOLD_POLL_S = 1.0
"""And where somebody does."""
GATHERED_MS = 50
"""Changes within so long are one."""

log = logging.getLogger("rmq.tailing")


class Watch:
    """Wakes one who waits for changes of what some patterns find. Use it as a context."""

    def __init__(self, patterns: Sequence[str], poll_s: float | None = None) -> None:
        self._patterns = patterns
        self._poll_s = poll_s
        self._changed = asyncio.Event()
        self._stop = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Watch:
        try:
            from watchfiles import awatch
        except ImportError:
            self._poll_s = self._poll_s or POLL_S
        else:
            self._poll_s = self._poll_s or TOLD_POLL_S
            self._task = asyncio.create_task(self._listen(awatch), name="rmq-watch-files")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stop.set()
        if self._task is not None:
            await self._task

    async def wait(self) -> None:
        """Return when something changed, or it is time to look anyway."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._poll_s):
                await self._changed.wait()
        self._changed.clear()

    async def _listen(self, awatch: Any) -> None:
        folders = sorted({root(pattern) for pattern in self._patterns})
        recursive = any("**" in pattern for pattern in self._patterns)
        try:
            async for _ in awatch(
                *folders,
                watch_filter=None,
                debounce=GATHERED_MS,
                step=GATHERED_MS // 2,
                stop_event=self._stop,
                recursive=recursive,
                ignore_permission_denied=True,
            ):
                self._changed.set()
        except Exception as error:  # a Rust error is none of ours, and nothing hangs on this
            self._poll_s = POLL_S
            log.warning("changes of files are not told here (%s); looking by time", error)


def root(pattern: str) -> str:
    """The deepest folder that stands, above all that a pattern can find."""
    folder = os.path.dirname(os.path.abspath(pattern))
    while glob.has_magic(folder) or not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    return folder
