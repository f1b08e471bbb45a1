"""Trouble: what can come back from Redis instead of an answer, and what it means to a caller."""

from __future__ import annotations

from typing import Any

from redis import exceptions as trouble

from rmq.core.script import Call
from rmq.errors import ConfigurationError, ConnectionLost, OutOfMemory, RmqError, ServerError

TROUBLE = (
    trouble.ConnectionError,
    trouble.TimeoutError,
    trouble.ReadOnlyError,
    trouble.ClusterError,
    trouble.TryAgainError,
    trouble.AskError,
    trouble.RedisClusterException,
    OSError,
)
_REPLIES = ("UNBLOCKED", "LOADING", "MASTERDOWN", "READONLY", "CLUSTERDOWN", "TRYAGAIN")
_FINAL = (trouble.AuthenticationError, trouble.AuthorizationError)


def passing(error: BaseException) -> bool:
    """Whether trying again may help."""
    if isinstance(error, _FINAL):
        return False
    if isinstance(error, TROUBLE):
        return True
    return isinstance(error, trouble.ResponseError) and str(error).startswith(_REPLIES)


def silent(error: BaseException) -> bool:
    """Whether nothing came back in time: another try would take as long again."""
    return isinstance(error, (trouble.TimeoutError, TimeoutError))


def translated(error: BaseException, call: Call[Any], deadline_s: float) -> BaseException:
    """The error of ours that stands for one of Redis or of the way to it."""
    text = str(error)
    if isinstance(error, trouble.ResponseError) and text.startswith("RMQ_"):
        return RmqError.from_reply(text, call.subject)
    if isinstance(error, trouble.OutOfMemoryError) or text.startswith("OOM"):
        return OutOfMemory(
            f"{call.subject}: Redis has reached its maxmemory, nothing was stored; receive and "
            "delete still work"
        )
    if isinstance(error, _FINAL):
        return ConfigurationError(f"Redis refused our login: {text}")
    if passing(error):
        return ConnectionLost(
            f"{call.subject}: no answer from Redis within {deadline_s:g} s "
            f"({type(error).__name__}: {text})"
        )
    if isinstance(error, (trouble.RedisError, trouble.RedisClusterException)):
        return ServerError(f"{call.subject}: Redis answered {text}")
    return error
