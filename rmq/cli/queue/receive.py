"""Receiving and what follows: receive, delete, visibility; and peek, which changes nothing."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Annotated, Any

import msgspec
import typer
from rich.panel import Panel
from rich.text import Text

from rmq import Message, PeekedMessage, Queue, RmqError
from rmq.cli import failures, values
from rmq.cli.output import Output, shown_age, shown_body, shown_time, table
from rmq.cli.queue import shapes
from rmq.cli.queue.manage import Name
from rmq.cli.session import Session, session_of

FOLLOW_WAIT = timedelta(seconds=20)
"""How long one receive waits under --follow; the longest that Amazon SQS has."""
PEEKED_AT_ONCE = 1000
"""The most that one peek looks at."""
SHOWN = 60
"""Characters of a body in a table."""


def receive(
    ctx: typer.Context,
    name: Name,
    number: Annotated[
        int,
        typer.Option(
            "-n", "--max", metavar="N", min=1, help="Most messages; with --follow, at once."
        ),
    ] = 1,
    wait: Annotated[
        timedelta | None,
        typer.Option(
            parser=values.duration, metavar="DURATION", help="Wait for a first one. 0s to 20s."
        ),
    ] = None,
    visibility_timeout: Annotated[
        timedelta | None,
        typer.Option(
            parser=values.duration, metavar="DURATION", help="Invisible to others for so long."
        ),
    ] = None,
    delete: Annotated[
        bool,
        typer.Option(
            "--delete", metavar="", help="Delete each when it is printed.", show_default=False
        ),
    ] = False,
    attempt_id: Annotated[
        str | None,
        typer.Option(
            metavar="ID", help="FIFO: the same id within 5m gets the same messages; -n up to 10."
        ),
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", metavar="", help="Until Ctrl-C.", show_default=False)
    ] = False,
) -> None:
    """Receive messages and print their bodies; --json adds all the rest, receipt handles too.

    A message that is not deleted is received again when its visibility timeout ends.
    """
    session = session_of(ctx)
    most = session.client.limits.max_receive
    if attempt_id is not None and most is not None and number > most:
        raise values.WrongUsage(f"--attempt-id goes with -n up to {most}", ctx=ctx)
    queue = session.client.queue(name)
    options: dict[str, Any] = {
        "visibility_timeout": visibility_timeout,
        "receive_request_attempt_id": attempt_id,
    }
    status = failures.DONE
    count = 0
    for messages in _batches(queue, number, most, wait, follow, options):
        for message in messages:
            _print(session.output, message)
        count += len(messages)
        if delete and _delete(session.output, queue, messages)[1]:
            status = failures.REFUSED
    if count == 0 and not session.as_json:
        session.output.note("no message is visible; --wait 20s waits for one")
    if status:
        raise typer.Exit(status)


def _batches(
    queue: Queue,
    number: int,
    most: int | None,
    wait: timedelta | None,
    follow: bool,
    options: dict[str, Any],
) -> Iterator[list[Message]]:
    """Receive until there are *number*, or no more; with *follow* for ever."""
    step = min(number, most or number)
    while follow:
        patience = FOLLOW_WAIT if wait is None else wait
        yield list(queue.receive(step, wait=patience, **options))
    left = number
    while left > 0:
        found = queue.receive(min(step, left), wait=wait, **options)
        if not found:
            return
        yield found
        left -= len(found)
        wait = timedelta(0)


def _print(out: Output, message: Message) -> None:
    if out.as_json:
        out.line(shapes.message_shape(message))
    elif out.is_terminal:
        out.show(_panel(message))
    else:
        out.raw(message.body)


def _panel(message: Message) -> Panel:
    facts = [f"received {message.receive_count}x", f"sent {shown_age(message.sent_at)} ago"]
    if message.message_group_id:
        facts.append(f"group {message.message_group_id}")
    if message.dead_letter_source:
        facts.append(f"from {message.dead_letter_source}")
    text = Text(shown_body(message.body))
    for name, one in message.attributes.items():
        value = one.value if isinstance(one.value, bytes) else one.value.encode()
        text.append(f"\n{name} ({one.type}): {shown_body(value, SHOWN)}", style="cyan")
    text.append(f"\n{message.receipt_handle}", style="dim")
    return Panel(text, title=Text(message.id), subtitle=Text(shown_body(", ".join(facts).encode())))


def delete(
    ctx: typer.Context,
    name: Name,
    handles: Annotated[
        list[str],
        typer.Argument(
            metavar="HANDLE...",
            help="Receipt handles; - reads them, or --json's lines, from stdin.",
        ),
    ],
) -> None:
    """Delete received messages: say that they are done."""
    session = session_of(ctx)
    queue = session.client.queue(name)
    given = list(_handles(handles))
    deleted, failed = _delete(session.output, queue, given)
    gone = len(given) - deleted - len(failed)
    if session.as_json:
        session.output.document({"deleted": deleted, "gone": gone, "failures": failed})
    else:
        rest = f", {gone:,} gone before" if gone else ""
        session.output.say(f"{deleted:,} deleted{rest}")
    if failed:
        raise typer.Exit(failures.REFUSED)


def _delete(
    out: Output, queue: Queue, messages: Iterable[Message | str]
) -> tuple[int, list[dict[str, Any]]]:
    given = list(messages)
    deleted, failed = 0, []
    for one, answer in zip(given, queue.delete_many(given), strict=True):
        if isinstance(answer, RmqError):
            handle = one if isinstance(one, str) else one.receipt_handle
            text = failures.sentence(answer)
            failed.append({"receipt_handle": handle, "error": answer.code, "message": text})
            if not out.as_json:
                out.note(f"rmq: {text}")
        else:
            deleted += answer
    return deleted, failed


def _handles(words: Iterable[str]) -> Iterator[str]:
    for word in words:
        if word != "-":
            yield word
            continue
        for line in sys.stdin:
            text = line.strip()
            if text.startswith("{"):
                yield str(_handle_in(text))
            elif text:
                yield text


def _handle_in(line: str) -> object:
    try:
        return msgspec.json.decode(line)["receipt_handle"]
    except (msgspec.DecodeError, KeyError):
        raise values.WrongUsage("a line of stdin has no receipt_handle") from None


def change_visibility(
    ctx: typer.Context,
    name: Name,
    handle: Annotated[str, typer.Argument(metavar="HANDLE", help="The receipt handle.")],
    timeout: Annotated[
        timedelta,
        typer.Argument(
            parser=values.duration, metavar="DURATION", help="From now on; 0 gives it back."
        ),
    ],
) -> None:
    """Change for how long a received message stays invisible."""
    session = session_of(ctx)
    visible_at = session.client.queue(name).change_visibility(handle, timeout)
    if session.as_json:
        session.output.document({"visible_at": visible_at})
    else:
        session.output.say(f"invisible until {shown_time(visible_at)}")


def peek(
    ctx: typer.Context,
    name: Name,
    number: Annotated[
        int, typer.Option("-n", "--max", metavar="N", min=1, help="Most messages.")
    ] = 10,
    after: Annotated[
        str | None, typer.Option(metavar="POSITION", help="Go on behind this one.")
    ] = None,
) -> None:
    """Look at messages in the order of sending; nothing about them changes."""
    session = session_of(ctx)
    found = _peeked(session.client.queue(name), number, after)
    if session.as_json:
        for message in found:
            session.output.line(shapes.message_shape(message))
        return
    _peek_table(session, found)


def _peeked(queue: Queue, number: int, after: str | None) -> Iterator[PeekedMessage]:
    while number > 0:
        step = min(number, PEEKED_AT_ONCE)
        page = queue.peek(step, after=after)
        yield from page
        if len(page) < step:
            return
        number -= step
        after = page[-1].position


def _peek_table(session: Session, found: Iterable[PeekedMessage]) -> None:
    rows = table("position", "state", ">sent", ">receives", "group", "body")
    for message in found:
        rows.add_row(
            message.position,
            message.state,
            f"{shown_age(message.sent_at)} ago",
            str(message.receive_count),
            Text(shown_body((message.message_group_id or "").encode())),
            Text(shown_body(message.body, SHOWN)),
        )
    if rows.row_count:
        session.output.show(rows)
    else:
        session.output.note("the queue is empty")
