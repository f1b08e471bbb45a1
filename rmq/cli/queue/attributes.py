"""Attributes: one option for every field of QueueAttributes, the same for create and for set."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, Any, get_args

import typer

from rmq import RedriveAllowPolicy, RedrivePolicy
from rmq.cli.session import queue_names
from rmq.cli.values import WrongUsage, duration
from rmq.queues.attributes import (
    DeduplicationScope,
    FifoThroughputLimit,
    RedrivePermission,
)

Given = dict[str, Any]
"""Attributes by the names of QueueAttributes, those that were given."""

DEAD, FIFO, CONTENT = "Dead letters", "FIFO queues", "FIFO queues: deduplication by content"
SECURITY = "Access and encryption (kept and shown; rmq itself enforces nothing by them)"
"""Panels of the help page. CONTENT is apart because its long names need the width."""


def _duration(name: str, help: str, panel: str | None = None) -> Any:
    option = typer.Option(
        name, parser=duration, metavar="DURATION", help=help, rich_help_panel=panel
    )
    return Annotated[timedelta | None, option]


def _choice(name: str, kind: Any, metavar: str, help: str, panel: str) -> Any:
    values = get_args(kind)

    def checked(text: str) -> str:
        if text not in values:
            raise typer.BadParameter(f"{text!r} is not one of {', '.join(values)}")
        return text

    option = typer.Option(
        name,
        parser=checked,
        metavar=metavar,
        help=f"{help} {', '.join(values)}.",
        rich_help_panel=panel,
        autocompletion=lambda: list(values),
    )
    return Annotated[str | None, option]


def _text(name: str, metavar: str, help: str) -> Any:
    option = typer.Option(name, metavar=metavar, help=help, rich_help_panel=SECURITY)
    return Annotated[str | None, option]


def _flag(name: str, help: str, panel: str) -> Any:
    option = typer.Option(name, metavar="", help=help, show_default=False, rich_help_panel=panel)
    return Annotated[bool | None, option]


OPTIONS: dict[str, Any] = {
    "visibility_timeout": _duration(
        "--visibility-timeout", "How long a received message stays invisible. At first 30s."
    ),
    "delay": _duration("--delay", "How long a sent message stays invisible at first. 0s to 15m."),
    "message_retention_period": _duration(
        "--retention", "How long a message is kept. 1m to 14d, at first 4d."
    ),
    "maximum_message_size": Annotated[
        int | None,
        typer.Option(
            "--max-size", metavar="BYTES", help="Bytes of body and attributes. At first 1048576."
        ),
    ],
    "receive_message_wait_time": _duration(
        "--wait", "How long a receive waits unless it says otherwise. 0s to 20s."
    ),
    "dead_letter_queue": Annotated[
        str | None,
        typer.Option(
            "--dead-letter-queue",
            metavar="NAME",
            help="Where a message goes that was received too often.",
            autocompletion=queue_names,
            rich_help_panel=DEAD,
        ),
    ],
    "max_receive_count": Annotated[
        int | None,
        typer.Option(
            "--max-receive-count",
            metavar="COUNT",
            help="How often it is handed out before. 1 to 1000, at first 10.",
            rich_help_panel=DEAD,
        ),
    ],
    "redrive_permission": _choice(
        "--redrive-permission",
        RedrivePermission,
        "WHO",
        "Which queues may send their dead letters here:",
        DEAD,
    ),
    "redrive_source": Annotated[
        list[str] | None,
        typer.Option(
            "--redrive-source",
            metavar="NAME",
            help="One that may, with by_queue. Repeat it for more.",
            autocompletion=queue_names,
            rich_help_panel=DEAD,
        ),
    ],
    "content_based_deduplication": _flag(
        "--content-based-deduplication",
        "Make the deduplication id from the body where none is given.",
        CONTENT,
    ),
    "no_content_based_deduplication": _flag(
        "--no-content-based-deduplication", "Do not, which is so at first.", CONTENT
    ),
    "deduplication_scope": _choice(
        "--deduplication-scope",
        DeduplicationScope,
        "SCOPE",
        "Within what a deduplication id is unique:",
        FIFO,
    ),
    "fifo_throughput_limit": _choice(
        "--fifo-throughput-limit",
        FifoThroughputLimit,
        "LIMIT",
        "Kept and shown; no quota is set:",
        FIFO,
    ),
    "deduplication_window": _duration(
        "--deduplication-window",
        "How long a deduplication id is remembered. Other than 5m with --no-limits only.",
        FIFO,
    ),
    "policy": _text("--policy", "JSON", "Who may do what: a JSON object. '' takes it away."),
    "kms_master_key_id": _text("--kms-key", "KEY", "Id, alias or ARN. '' takes it away."),
    "kms_data_key_reuse_period": _duration(
        "--kms-reuse", "How long a data key is used. 1m to 24h, at first 5m.", SECURITY
    ),
    "sqs_managed_sse_enabled": _flag("--managed-sse", "Which is so at first.", SECURITY),
    "no_sqs_managed_sse_enabled": _flag("--no-managed-sse", "Not.", SECURITY),
}

_NOT_FIELDS = (
    "dead_letter_queue",
    "max_receive_count",
    "redrive_permission",
    "redrive_source",
    "no_content_based_deduplication",
    "no_sqs_managed_sse_enabled",
)
"""Options that make up a field together, rather than being one."""
_SWITCHES = {
    "content_based_deduplication": "--content-based-deduplication",
    "sqs_managed_sse_enabled": "--managed-sse",
}
_REMOVABLE = {"policy", "kms_master_key_id"}


def with_attribute_options(command: Callable[..., None]) -> Callable[..., None]:
    """*command* with all of OPTIONS, which it gets together as its argument *given*."""
    own = inspect.signature(command, eval_str=True)
    parameters = [one for one in own.parameters.values() if one.name != "given"]
    parameters += [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind)
        for name, kind in OPTIONS.items()
    ]

    @functools.wraps(command)
    def wrapper(*args: Any, **options: Any) -> None:
        given = {name: options.pop(name) for name in OPTIONS}
        command(
            *args,
            given={name: value for name, value in given.items() if value not in (None, [])},
            **options,
        )

    wrapper.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
    wrapper.__annotations__ = {one.name: one.annotation for one in parameters}
    return wrapper


def attributes_of(given: Given, standing: RedrivePolicy | None = None) -> dict[str, Any]:
    """What the library takes. *standing* is the redrive policy that the queue has already.

    Raises WrongUsage for options that make no sense together.
    """
    found = {name: value for name, value in given.items() if name not in _NOT_FIELDS}
    for name, option in _SWITCHES.items():
        if f"no_{name}" in given:
            if name in given:
                raise WrongUsage(f"{option} is either on or off")
            found[name] = False
    for name in _REMOVABLE & found.keys():
        found[name] = found[name] or None
    target, count = given.get("dead_letter_queue"), given.get("max_receive_count")
    if target is None and standing is not None:
        target = standing.dead_letter_queue
    if count is not None and target is None:
        raise WrongUsage("--max-receive-count needs --dead-letter-queue NAME")
    if "dead_letter_queue" in given or count is not None:
        if count is None and standing is not None:
            count = standing.max_receive_count
        counted = {} if count is None else {"max_receive_count": count}
        found["redrive_policy"] = RedrivePolicy(dead_letter_queue=str(target), **counted)
    sources: tuple[str, ...] = tuple(given.get("redrive_source", ()))
    permission: Any = given.get("redrive_permission") or ("by_queue" if sources else None)
    if permission is not None:
        found["redrive_allow_policy"] = RedriveAllowPolicy(
            permission=permission, source_queues=sources
        )
    return found
