"""Loading: from `module:app` to the App that stands there."""

from __future__ import annotations

import importlib
import os
import sys

from rmq.errors import ConfigurationError
from rmq.worker.app import App


def load(path: str) -> App:
    """The app that `module:name` names; `module` alone means its `app`. The module is looked for in
    the current folder as well.

    Raises ConfigurationError. What the module itself raises is not caught: it is the user's bug,
    and its traceback says where.
    """
    module, _, name = path.partition(":")
    folder = os.getcwd()
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        found: object = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not (module == error.name or module.startswith(f"{error.name}.")):
            raise
        raise ConfigurationError(
            f"app {path!r}: there is no module {error.name!r} in {folder} or on PYTHONPATH"
        ) from error
    except (ImportError, ValueError) as error:
        raise ConfigurationError(f"app {path!r} can not be imported: {error}") from error
    for part in (name or "app").split("."):
        found = getattr(found, part, None)
    if not isinstance(found, App):
        what = "nothing" if found is None else type(found).__name__
        raise ConfigurationError(
            f"app {path!r} names {what}; it must be a rmq.worker.App, as in shop.jobs:app"
        )
    return found
