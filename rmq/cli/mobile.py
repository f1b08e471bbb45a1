"""rmq mobile: platform applications and their endpoints."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from rmq import PlatformApplication, PlatformEndpoint
from rmq.cli.asking import Yes, ask
from rmq.cli.output import shown_age, table
from rmq.cli.session import session_of
from rmq.cli.values import WrongUsage, message_attributes

app = typer.Typer(
    help="Send to apps on phones.", invoke_without_command=True, rich_markup_mode="rich"
)

Application = Annotated[
    str, typer.Argument(metavar="APPLICATION", help="Its ARN, or PLATFORM/NAME: GCM/shop.")
]
Endpoint = Annotated[
    str, typer.Argument(metavar="ENDPOINT", help="Its ARN, or PLATFORM/APPLICATION/ID.")
]


@app.callback()
def mobile(ctx: typer.Context) -> None:
    """Platform applications (FCM, APNs, ADM) and their endpoints: one for each device and app."""
    if ctx.invoked_subcommand is None:
        print(ctx.get_help())


@app.command()
def create(
    ctx: typer.Context,
    platform: Annotated[
        str, typer.Argument(metavar="PLATFORM", help="GCM (Firebase), APNS, APNS_SANDBOX or ADM.")
    ],
    name: Annotated[str, typer.Argument(metavar="NAME", help="1 to 256 of A-Z a-z 0-9 _ . -")],
    credential_file: Annotated[
        typer.FileText | None,
        typer.Option(
            metavar="FILE",
            help="What holds the credential, - for stdin: GCM's service account or API key, "
            "Apple's key, ADM's client secret. Nobody is shown it again.",
            show_default=False,
        ),
    ] = None,
    principal: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT",
            help="Apple's signing key id or certificate, ADM's client id.",
            show_default=False,
        ),
    ] = None,
    team_id: Annotated[
        str | None, typer.Option(metavar="ID", help="Apple's, for a signing key.")
    ] = None,
    bundle_id: Annotated[
        str | None, typer.Option(metavar="ID", help="Apple's, for a signing key.")
    ] = None,
) -> None:
    """Create a platform application, or find that it stands with these attributes."""
    session = session_of(ctx)
    given: dict[str, Any] = {
        "principal": principal,
        "apple_platform_team_id": team_id,
        "apple_platform_bundle_id": bundle_id,
    }
    given = {field: value for field, value in given.items() if value is not None}
    if credential_file is not None:
        given["credential"] = _read(ctx, credential_file)
    made = session.client.mobile.create_application(platform, name, **given)
    if session.as_json:
        session.output.document(_application_shape(made))
    else:
        session.output.say(f"platform application {made.arn} is there")


def _read(ctx: typer.Context, file: Any) -> str:
    try:
        return str(file.read()).strip()
    except UnicodeDecodeError:
        raise WrongUsage("the file of --credential-file is not text in UTF-8", ctx=ctx) from None


@app.command("list")
def list_applications(ctx: typer.Context) -> None:
    """List platform applications."""
    session = session_of(ctx)
    found = list(session.client.mobile.all_applications())
    if session.as_json:
        session.output.document({"applications": [_application_shape(one) for one in found]})
        return
    if not found:
        session.output.note(
            "no platform applications; next: rmq mobile create GCM NAME --credential-file FILE"
        )
        return
    rows = table("application", "enabled", "signs in by", ">age")
    for one in found:
        enabled = "yes" if one.attributes.enabled else "no"
        method = one.authentication_method or "-"
        rows.add_row(f"{one.platform}/{one.name}", enabled, method, shown_age(one.created_at))
    session.output.show(rows)


@app.command("rm")
def remove(ctx: typer.Context, application: Application, yes: Yes = False) -> None:
    """Remove a platform application with all its endpoints."""
    session = session_of(ctx)
    found = session.client.mobile.application(application)
    ask(ctx, f"Remove {found.arn} with all its endpoints?", yes)
    session.client.mobile.delete_application(found.arn)
    if session.as_json:
        session.output.document({"arn": found.arn, "removed": True})
    else:
        session.output.say(f"platform application {found.arn} is gone")


@app.command()
def endpoints(ctx: typer.Context, application: Application) -> None:
    """List the endpoints of an application; with --json one a line, however many there are."""
    session = session_of(ctx)
    found = session.client.mobile.all_endpoints(application)
    if session.as_json:
        for one in found:
            session.output.line(_endpoint_shape(one))
        return
    rows = table("id", "enabled", "token", "user data", ">age")
    for one in found:
        enabled = "yes" if one.enabled else "no"
        rows.add_row(
            one.id,
            enabled,
            _short(one.token),
            _short(one.custom_user_data),
            shown_age(one.created_at),
        )
    if rows.row_count:
        session.output.show(rows)
    else:
        session.output.note("no endpoints; an app's server makes them: mobile.create_endpoint()")


@app.command("rm-endpoint")
def remove_endpoint(ctx: typer.Context, endpoint: Endpoint, yes: Yes = False) -> None:
    """Remove an endpoint. Its subscriptions to topics stay."""
    session = session_of(ctx)
    found = session.client.mobile.endpoint(endpoint)
    ask(ctx, f"Remove {found.arn}?", yes)
    session.client.mobile.delete_endpoint(found.arn)
    if session.as_json:
        session.output.document({"arn": found.arn, "removed": True})
    else:
        session.output.say(f"endpoint {found.arn} is gone")


@app.command()
def publish(
    ctx: typer.Context,
    endpoint: Endpoint,
    message: Annotated[str, typer.Argument(metavar="MESSAGE", help="Text; - reads it from stdin.")],
    by_protocol: Annotated[
        bool,
        typer.Option(
            "--by-protocol",
            metavar="",
            help="The message is a JSON object with a text for each platform, and default.",
            show_default=False,
        ),
    ] = False,
    attribute: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME[:TYPE]=VALUE", help="A message attribute. Repeatable."),
    ] = None,
) -> None:
    """Publish a message for one endpoint; rmq dispatch sends it."""
    session = session_of(ctx)
    sent = session.client.mobile.publish(
        endpoint,
        sys.stdin.read() if message == "-" else message,
        by_protocol=by_protocol,
        attributes=message_attributes(attribute or ()),
    )
    if session.as_json:
        session.output.document({"id": sent.id})
    else:
        session.output.say(f"published {sent.id}")


def _short(text: str) -> str:
    """Text as a table may show it: no control character of somebody else's reaches a terminal."""
    safe = "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)
    return safe if len(safe) <= 40 else safe[:39] + "…"


def _application_shape(one: PlatformApplication) -> dict[str, Any]:
    attributes = one.attributes
    return {
        "arn": one.arn,
        "platform": one.platform,
        "name": one.name,
        "authentication_method": one.authentication_method,
        "created_at": one.created_at,
        "modified_at": one.modified_at,
        "attributes": {
            field: getattr(attributes, field)
            for field in attributes.__dataclass_fields__
            if field != "principal"
        },
    }


def _endpoint_shape(one: PlatformEndpoint) -> dict[str, Any]:
    return {
        "arn": one.arn,
        "id": one.id,
        "token": one.token,
        "enabled": one.enabled,
        "custom_user_data": one.custom_user_data,
        "created_at": one.created_at,
        "modified_at": one.modified_at,
    }
