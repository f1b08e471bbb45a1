"""Executors: they carry out Calls and Plans. One for threads, one for asyncio, alike otherwise.

The first try is bare, because nearly all succeed. Only when it fails is the failure looked at:

    NOSCRIPT             the script is sent whole, which also loads it; the caller sees nothing
    RMQ_..               a refusal of ours, raised as its class
    connection trouble   retried with jitter inside a deadline: scripts are written so that a
                         repeat of one that was carried out does no harm
    the rest             ServerError
"""

from rmq.core.executor.tasks import AsyncExecutor
from rmq.core.executor.threads import SyncExecutor
from rmq.core.executor.together import TogetherExecutor

__all__ = ["AsyncExecutor", "SyncExecutor", "TogetherExecutor"]
