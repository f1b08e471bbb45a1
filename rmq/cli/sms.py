"""rmq sms: messages to phone numbers, and what the account has for them."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import Annotated, Any

import typer

from rmq import SandboxNumber
from rmq.cli.output import pairs, shown_time, table
from rmq.cli.session import session_of
from rmq.cli.values import WrongUsage

app = typer.Typer(help="Send SMS.", invoke_without_command=True, rich_markup_mode="rich")
sandbox = typer.Typer(
    help="Numbers shown to be one's own.", invoke_without_command=True, rich_markup_mode="rich"
)
app.add_typer(sandbox, name="sandbox")

Number = Annotated[str, typer.Argument(metavar="NUMBER", help="In E.164: +15550100123.")]


@app.callback()
def sms(ctx: typer.Context) -> None:
    """Text messages to phone numbers; rmq dispatch sends them, by RMQ_SMS_SENDER."""
    if ctx.invoked_subcommand is None:
        print(ctx.get_help())


@app.command()
def publish(
    ctx: typer.Context,
    number: Number,
    message: Annotated[
        str, typer.Argument(metavar="MESSAGE", help="1 to 1,600 characters; - reads stdin.")
    ],
    sender_id: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Whom it is from: 1 to 11 letters and digits."),
    ] = None,
    kind: Annotated[
        str | None, typer.Option("--type", metavar="TYPE", help="Promotional or Transactional.")
    ] = None,
) -> None:
    """Publish a message for one number. A number that opted out is sent nothing."""
    session = session_of(ctx)
    given = {"AWS.SNS.SMS.SenderID": sender_id, "AWS.SNS.SMS.SMSType": kind}
    published = session.client.sms.publish(
        number,
        sys.stdin.read() if message == "-" else message,
        attributes={name: value for name, value in given.items() if value is not None},
    )
    if session.as_json:
        session.output.document(asdict(published))
    elif published.is_opted_out:
        session.output.say(f"{published.number} has opted out: nothing is sent")
    else:
        parts = "1 SMS" if published.parts == 1 else f"{published.parts} SMS"
        session.output.say(
            f"published {published.id} for {published.number}: {parts}, {published.encoding}"
        )


@app.command()
def attributes(
    ctx: typer.Context,
    changes: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME=VALUE]..",
            help="Set these first; NAME= takes one away.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Show, and set, the account's attributes: default_sender_id, default_sms_type, .."""
    session = session_of(ctx)
    given: dict[str, Any] = {}
    for text in changes or ():
        name, equals, value = text.partition("=")
        if not equals:
            raise WrongUsage(f"{text!r} is no attribute; write NAME=VALUE", ctx=ctx)
        # What is a number and should be text, or the other way round, the library refuses.
        given[name] = int(value) if value.isascii() and value.isdigit() else value or None
    found = asdict(session.client.sms.set_attributes(**given))
    if session.as_json:
        session.output.document(found)
        return
    rows = [(name, "-" if value is None else str(value)) for name, value in found.items()]
    session.output.show(pairs("SMS of this account", rows))


# --- who wants no SMS ---


@app.command("opt-outs")
def opt_outs(ctx: typer.Context) -> None:
    """List the numbers that want no SMS."""
    session = session_of(ctx)
    found = list(session.client.sms.all_opted_out())
    if session.as_json:
        session.output.document({"numbers": found})
    elif found:
        for number in found:
            session.output.say(number)
    else:
        session.output.note("no number has opted out")


@app.command("opt-out")
def opt_out(ctx: typer.Context, number: Number) -> None:
    """Note that a number wants no SMS."""
    session = session_of(ctx)
    is_new = session.client.sms.opt_out(number)
    if session.as_json:
        session.output.document({"number": number, "is_new": is_new})
    else:
        session.output.say(f"{number} is sent no SMS")


@app.command("opt-in")
def opt_in(ctx: typer.Context, number: Number) -> None:
    """Send a number SMS again; once in 30 days."""
    session = session_of(ctx)
    was_out = session.client.sms.opt_in(number)
    if session.as_json:
        session.output.document({"number": number, "was_opted_out": was_out})
    else:
        session.output.say(f"{number} is sent SMS")


# --- the sandbox ---


@sandbox.callback()
def in_sandbox(ctx: typer.Context) -> None:
    """While an account is in the sandbox, only numbers that were verified are sent SMS."""
    if ctx.invoked_subcommand is None:
        print(ctx.get_help())


@sandbox.command("list")
def list_numbers(ctx: typer.Context) -> None:
    """List the numbers, and say whether the account is in the sandbox."""
    session = session_of(ctx)
    client, token = session.client.sms, None
    found: list[SandboxNumber] = []
    while True:
        page = client.sandbox_numbers(token=token)
        found += page.found
        token = page.next_token
        if token is None:
            break
    inside = client.is_in_sandbox()
    if session.as_json:
        session.output.document({"in_sandbox": inside, "numbers": [_shape(one) for one in found]})
        return
    session.output.note(f"the account is {'in' if inside else 'not in'} the sandbox")
    if found:
        rows = table("number", "status", "since")
        for one in found:
            rows.add_row(one.number, one.status, shown_time(one.verified_at or one.created_at))
        session.output.show(rows)
    else:
        session.output.note("no numbers; add one: rmq sms sandbox add NUMBER")


@sandbox.command()
def add(
    ctx: typer.Context,
    number: Number,
    language: Annotated[str, typer.Option(metavar="CODE", help="de-DE, ja-JP, ..")] = "en-US",
) -> None:
    """Add a number, and send it a password; again: another one."""
    session = session_of(ctx)
    _tell(session, session.client.sms.add_sandbox_number(number, language=language))


@sandbox.command()
def verify(
    ctx: typer.Context,
    number: Number,
    password: Annotated[str, typer.Argument(metavar="PASSWORD", help="What it was sent.")],
) -> None:
    """Verify a number by the password that it was sent."""
    session = session_of(ctx)
    _tell(session, session.client.sms.verify_sandbox_number(number, password))


@sandbox.command("rm")
def remove(ctx: typer.Context, number: Number) -> None:
    """Remove a number."""
    session = session_of(ctx)
    session.client.sms.remove_sandbox_number(number)
    if session.as_json:
        session.output.document({"number": number, "removed": True})
    else:
        session.output.say(f"{number} is removed")


@sandbox.command()
def on(ctx: typer.Context) -> None:
    """Put the account in the sandbox."""
    _switch(ctx, True)


@sandbox.command()
def off(ctx: typer.Context) -> None:
    """Take the account out of the sandbox."""
    _switch(ctx, False)


def _switch(ctx: typer.Context, inside: bool) -> None:
    session = session_of(ctx)
    session.client.sms.set_in_sandbox(inside)
    if session.as_json:
        session.output.document({"in_sandbox": inside})
    else:
        session.output.say(f"the account is {'in' if inside else 'not in'} the sandbox")


def _tell(session: Any, one: SandboxNumber) -> None:
    if session.as_json:
        session.output.document(_shape(one))
    elif one.status == "Verified":
        session.output.say(f"{one.number} is verified")
    else:
        session.output.say(
            f"{one.number} is sent a password; next: rmq sms sandbox verify {one.number} PASSWORD"
        )


def _shape(one: SandboxNumber) -> dict[str, Any]:
    return asdict(one)
