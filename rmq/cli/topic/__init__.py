"""The noun `topic`: every command that begins with `rmq topic`, in the order of its help page."""

from __future__ import annotations

import typer

from rmq.cli.options import with_options
from rmq.cli.topic import explain, listen, manage, publish, replay, subscribe
from rmq.cli.topic.attributes import ALL, SUBSCRIPTION, TOPIC

app = typer.Typer(
    help="Create and use topics.", invoke_without_command=True, rich_markup_mode="rich"
)


@app.callback()
def topic(ctx: typer.Context) -> None:
    """Create and use topics: one message, many subscribers. A name that ends in .fifo is a FIFO
    topic's."""
    if ctx.invoked_subcommand is None:
        print(ctx.get_help())


TOPICS, SUBSCRIPTIONS, MESSAGES = "Topics", "Subscriptions", "Messages"

app.command("create", rich_help_panel=TOPICS)(with_options(TOPIC)(manage.create))
app.command("list", rich_help_panel=TOPICS)(manage.list_topics)
app.command("show", rich_help_panel=TOPICS)(manage.show)
app.command("set", rich_help_panel=TOPICS)(with_options(ALL)(manage.set_attributes))
app.command("rm", rich_help_panel=TOPICS)(manage.remove)

app.command("subscribe", rich_help_panel=SUBSCRIPTIONS)(
    with_options(SUBSCRIPTION)(subscribe.subscribe)
)
app.command("confirm", rich_help_panel=SUBSCRIPTIONS)(subscribe.confirm)
app.command("subscriptions", rich_help_panel=SUBSCRIPTIONS)(subscribe.subscriptions)
app.command("unsubscribe", rich_help_panel=SUBSCRIPTIONS)(subscribe.unsubscribe)
app.command("replay", rich_help_panel=SUBSCRIPTIONS)(replay.replay)

app.command("publish", rich_help_panel=MESSAGES)(publish.publish)
app.command("listen", rich_help_panel=MESSAGES)(listen.listen)
app.command("explain", rich_help_panel=MESSAGES)(explain.explain)
