"""rmq: the command itself. The options that every command has, and the one place that ends it.

Those options may stand anywhere on the line: they are hoisted to its beginning before it is read.
Every end is here: an error becomes one line on stderr and an exit status (see failures.py).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated, Any, NoReturn, cast

import typer
from typer.core import TyperGroup

import rmq
from rmq.cli import dispatch as dispatching
from rmq.cli import failures
from rmq.cli import serve as serving
from rmq.cli.demo import app as demo_app
from rmq.cli.events import app as events_app
from rmq.cli.mobile import app as mobile_app
from rmq.cli.output import Output
from rmq.cli.queue import app as queue_app
from rmq.cli.schedule import app as schedule_app
from rmq.cli.session import Session
from rmq.cli.sms import app as sms_app
from rmq.cli.stream import app as stream_app
from rmq.cli.topic import app as topic_app
from rmq.cli.worker import app as worker_app

USAGE_ERROR = cast(type[Exception], typer.BadParameter.__mro__[1])
"""UsageError, which typer has made in several places over its releases."""

VALUED = {"--url", "--namespace"}
FLAGS = {"--json", "--no-limits"}
"""The options that may stand anywhere."""

HELP = """\
Queues, topics and streams with the semantics of Amazon SQS, SNS and Kinesis, on the Redis or Valkey
you already run.

[bold]rmq demo[/] shows it at work, with no Redis needed. A first queue of your own:

  export RMQ_URL=redis://localhost
  rmq queue create orders
  rmq queue send orders "one coffee"
  rmq queue receive orders --delete
  rmq queue watch

And one message for many:

  rmq topic create orders-placed
  rmq topic subscribe orders-placed orders
  rmq topic publish orders-placed "one coffee"

And a log that many read, each at its own pace:

  rmq stream create positions --shards 5
  rmq stream put positions "52.5, 13.4" --key truck-17
  rmq stream tail positions --start TRIM_HORIZON

--url, --namespace, --json and --no-limits may stand anywhere on the line.
"""

EPILOG = (
    "[bold]Exit status[/]\n"
    + "\n".join(f"  {status:>3}  {text}" for status, text in failures.STATUSES.items())
    + "\n\n[bold]Settings[/]: RMQ_URL, RMQ_NAMESPACE, RMQ_RETRY_TIMEOUT (5 seconds here), "
    "RMQ_SOCKET_TIMEOUT, RMQ_TLS_CA_FILE, RMQ_TLS_CERT_FILE, RMQ_TLS_KEY_FILE, "
    "RMQ_ALLOW_EVICTION.\n\n"
    "[bold]Completion[/] of commands, options and names in bash, zsh, fish and PowerShell: "
    "rmq --install-completion, then open a new shell."
)


class Rmq(TyperGroup):
    """The group of all commands: it hoists the common options, and ends every command."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, hoisted(args))

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise typer.Exit(failures.INTERRUPTED) from None
        finally:
            if isinstance(ctx.obj, Session):
                ctx.obj.close()

    def main(self, args: Sequence[str] | None = None, *rest: Any, **extra: Any) -> NoReturn:
        words = list(sys.argv[1:] if args is None else args)
        end = Ending(as_json="--json" in words)
        extra["standalone_mode"] = False
        try:
            status = super().main(words, *rest, **extra)
        except rmq.RmqError as error:
            end(failures.status_of(error), error.code, failures.sentence(error))
        except USAGE_ERROR as error:
            end(failures.USAGE, "RMQ_USAGE", _usage(error))
        except typer.Abort:
            end(failures.INTERRUPTED, "RMQ_INTERRUPTED", "interrupted, nothing was done")
        sys.exit(status if isinstance(status, int) else failures.DONE)


class Ending:
    """The end of a command that failed: one line on stderr, and a status."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json

    def __call__(self, status: int, code: str, text: str) -> NoReturn:
        if self._as_json:
            problem = {"error": code, "message": text, "status": status}
            print(rmq.cli.output.encoded(problem).decode(), file=sys.stderr)
        else:
            Output().note(f"rmq: {text}")
        sys.exit(status)


def _usage(error: Any) -> str:
    text = failures.one_line(error.format_message()).rstrip(".")
    ctx = getattr(error, "ctx", None)
    return f"{text} (see {ctx.command_path if ctx is not None else 'rmq'} --help)"


def hoisted(args: Sequence[str]) -> list[str]:
    """*args* with the common options first. What follows a -- stays where it is."""
    first: list[str] = []
    rest: list[str] = []
    words = iter(args)
    for word in words:
        if word == "--":
            rest += [word, *words]
        elif word in VALUED:
            first += [word, *(value for value in [next(words, None)] if value is not None)]
        elif word in FLAGS or word.partition("=")[0] in VALUED:
            first.append(word)
        else:
            rest.append(word)
    return first + rest


app = typer.Typer(
    name="rmq",
    cls=Rmq,
    help=HELP,
    epilog=EPILOG,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(queue_app, name="queue")
app.add_typer(topic_app, name="topic")
app.add_typer(stream_app, name="stream")
app.add_typer(mobile_app, name="mobile")
app.add_typer(sms_app, name="sms")
app.add_typer(events_app, name="events")
app.add_typer(worker_app, name="worker")
app.add_typer(schedule_app, name="schedule")
app.add_typer(demo_app, name="demo")
app.command("serve")(serving.serve)
app.command("dispatch")(dispatching.dispatch)


def _version(asked: bool) -> None:
    if asked:
        print(f"rmq {rmq.__version__}")
        raise typer.Exit


@app.callback()
def common(
    ctx: typer.Context,
    url: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="memory://, redis://, rediss://, unix:///path or redis+cluster://host1,host2. "
            "Default: RMQ_URL, else memory://",
            show_default=False,
        ),
    ] = None,
    namespace: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Prefix of every key in Redis. Default: RMQ_NAMESPACE, else default",
            show_default=False,
        ),
    ] = None,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json", metavar="", help="Answer in JSON, for programs.", show_default=False
        ),
    ] = False,
    no_limits: Annotated[
        bool,
        typer.Option(
            "--no-limits",
            metavar="",
            help="Lift the limits of SQS, SNS and Kinesis.",
            show_default=False,
        ),
    ] = False,
    version: Annotated[
        bool,
        typer.Option(
            "--version", metavar="", help="Show the version.", is_eager=True, callback=_version
        ),
    ] = False,
) -> None:
    ctx.obj = Session(url=url, namespace=namespace, no_limits=no_limits, as_json=as_json)
    if ctx.invoked_subcommand is None:
        print(ctx.get_help())


def main() -> NoReturn:
    """Run the command line; the console script `rmq`."""
    app()
    raise AssertionError("unreachable: Rmq.main ends the process")


if __name__ == "__main__":
    main()
