"""Options: how a command gets one option for every attribute of what it makes or changes.

A noun has a table from names of attributes to options; `with_options` gives all of them to a
command, as one argument: those that were given, by name.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Annotated, Any, get_args

import typer

from rmq.cli.values import WrongUsage, duration

Given = dict[str, Any]
"""Attributes by name, those that were given."""

Attribute = Annotated[
    list[str] | None,
    typer.Option(
        "--attribute",
        metavar="NAME[:TYPE]=VALUE",
        help="String unless a TYPE says Number, Binary (base64) or String.label. Repeatable.",
    ),
]
"""The option by which a message gets its attributes."""

StopAfter = Annotated[
    timedelta,
    typer.Option(
        parser=duration,
        metavar="DURATION",
        help="How long what is under way may take when it is stopped.",
        show_default="20s",
    ),
]
Interval = Annotated[
    timedelta,
    typer.Option(
        parser=duration,
        metavar="DURATION",
        help="Between two lines of figures.",
        show_default="1s",
    ),
]
"""The options of whatever works until it is stopped."""


def duration_option(name: str, help: str, panel: str | None = None) -> Any:
    """An option that is a duration."""
    option = typer.Option(
        name, parser=duration, metavar="DURATION", help=help, rich_help_panel=panel
    )
    return Annotated[timedelta | None, option]


def choice_option(
    name: str, kind: Any, metavar: str, help: str, panel: str | None = None, *, end: str = "."
) -> Any:
    """An option that is one of the values of a Literal."""
    choices = tuple(map(str, get_args(kind)))

    def checked(text: str) -> str:
        if text not in choices:
            raise typer.BadParameter(f"{text!r} is not one of {', '.join(choices)}")
        return text

    option = typer.Option(
        name,
        parser=checked,
        metavar=metavar,
        help=f"{help} {', '.join(choices)}{end}",
        rich_help_panel=panel,
        autocompletion=lambda: list(choices),
    )
    return Annotated[str | None, option]


def text_option(
    name: str,
    metavar: str,
    help: str,
    panel: str | None = None,
    completion: Callable[..., Any] | None = None,
) -> Any:
    """An option that is text."""
    option = typer.Option(
        name, metavar=metavar, help=help, rich_help_panel=panel, autocompletion=completion
    )
    return Annotated[str | None, option]


def texts_option(
    name: str,
    metavar: str,
    help: str,
    panel: str | None = None,
    completion: Callable[..., Any] | None = None,
) -> Any:
    """An option that is text and may be repeated."""
    option = typer.Option(
        name, metavar=metavar, help=help, rich_help_panel=panel, autocompletion=completion
    )
    return Annotated[list[str] | None, option]


def number_option(name: str, metavar: str, help: str, panel: str | None = None) -> Any:
    """An option that is a whole number."""
    option = typer.Option(name, metavar=metavar, help=help, rich_help_panel=panel)
    return Annotated[int | None, option]


def flag_option(name: str, help: str, panel: str | None = None) -> Any:
    """An option without a value."""
    option = typer.Option(name, metavar="", help=help, show_default=False, rich_help_panel=panel)
    return Annotated[bool | None, option]


def with_options(
    options: Mapping[str, Any],
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command all of *options*, which it gets together as its argument *given*."""

    def wrapped(command: Callable[..., None]) -> Callable[..., None]:
        own = inspect.signature(command, eval_str=True)
        parameters = [one for one in own.parameters.values() if one.name != "given"]
        parameters += [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind)
            for name, kind in options.items()
        ]

        @functools.wraps(command)
        def wrapper(*args: Any, **found: Any) -> None:
            given = {name: found.pop(name) for name in options}
            command(
                *args,
                given={name: value for name, value in given.items() if value not in (None, [])},
                **found,
            )

        wrapper.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
        wrapper.__annotations__ = {one.name: one.annotation for one in parameters}
        return wrapper

    return wrapped


def switched(given: Given, switches: Mapping[str, str]) -> dict[str, bool]:
    """The values of *switches*, attributes that are on or off, by name: x and no_x are options.

    *switches* has the option of each as it is typed. Raises WrongUsage where both were given.
    """
    found = {}
    for name, option in switches.items():
        if name in given and f"no_{name}" in given:
            raise WrongUsage(f"{option} is either on or off")
        if name in given or f"no_{name}" in given:
            found[name] = name in given
    return found
