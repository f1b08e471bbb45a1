"""Loading: from `module:app` to the App that stands there."""

from __future__ import annotations

import importlib
import os
import sys
import traceback

from rmq.errors import ConfigurationError
from rmq.worker.app import App


def load(path: str) -> App:
    """The app that `module:name` names; `module` alone means its `app`. The module is looked for in
    the current folder as well.

    Raises ConfigurationError, also for what the module itself raises: with where that was.
    """
    module, _, name = path.partition(":")
    if not all(module.split(".")):
        raise ConfigurationError(f"app {path!r} names no module; say it as in shop.jobs:app")
    folder = os.getcwd()
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        found: object = importlib.import_module(module)
    except (Exception, SystemExit) as error:
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        if missing is not None and (module == missing or module.startswith(f"{missing}.")):
            raise ConfigurationError(
                f"app {path!r}: there is no module {missing!r} in {folder} or on PYTHONPATH"
            ) from error
        where = _where(error)
        raise ConfigurationError(
            f"app {path!r} can not be imported: {type(error).__name__}: {error}"
            + (f" (in {where})" if where else "")
        ) from error
    for part in (name or "app").split("."):
        found = getattr(found, part, None)
    if not isinstance(found, App):
        what = "nothing" if found is None else type(found).__name__
        raise ConfigurationError(
            f"app {path!r} names {what}; it must be a rmq.worker.App, as in shop.jobs:app"
        )
    return found


def _where(error: BaseException) -> str:
    """The lines that led to an error, from the module that was asked for on."""
    frames = traceback.extract_tb(error.__traceback__)
    return " > ".join(
        f"{os.path.relpath(one.filename)}:{one.lineno}"
        for one in frames
        if not one.filename.startswith("<frozen ")
        and one.filename not in (__file__, importlib.__file__)
    )
