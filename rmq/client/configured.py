"""Configured: settings from what a caller gave and what the environment says."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import ValidationError

from rmq.errors import ConfigurationError
from rmq.settings import Settings

S = TypeVar("S", bound=Settings)


def configured(kind: type[S], url: Any, namespace: str | None, given: dict[str, Any]) -> S:
    """Settings of *kind*: what is *given* over the environment's. Raises ConfigurationError."""
    for name in given:
        if name not in kind.model_fields:
            raise ConfigurationError(
                f"there is no setting {name!r}; there are {', '.join(kind.model_fields)}"
            )
    given = dict(given)
    if namespace is not None:
        given["namespace"] = namespace
    if isinstance(url, str):
        given["url"] = url
    try:
        return kind(**given)
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(map(str, one['loc']))}: {one['msg']}"
            for one in error.errors(include_input=False, include_url=False)
        )
        raise ConfigurationError(
            f"settings can not be used: {wrong}; give others, or set RMQ_… in the environment"
        ) from error
