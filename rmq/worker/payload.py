"""Payload: from a message's body to what a handler takes, by the annotation of its parameter.

    AsyncMessage, none, Any                 the message itself
    bytes, str                              the body
    dict, list, dataclass, TypedDict, ..    the body, read as JSON and checked
    msgspec.Struct                          the same, by msgspec
    pydantic.BaseModel                      the same, by pydantic

What does not fit is Unreadable, and no retry will make it fit.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import msgspec
from pydantic import BaseModel, ValidationError

from rmq.errors import BrokenEnvelope, ConfigurationError
from rmq.queues.aio import AsyncMessage
from rmq.worker.verdicts import Unreadable

Read = Callable[[AsyncMessage], Any]


def reader(annotation: Any, whose: str) -> Read:
    """What reads a message for a parameter with this annotation. *whose* names it in errors.

    Raises ConfigurationError for an annotation that nothing can be read into.
    """
    if takes_message(annotation):
        return _itself
    if annotation is bytes:
        return _checked(lambda message: message.body)
    if annotation is str:
        return _checked(lambda message: message.body.decode())
    decode = json_reader(annotation, whose)
    return _checked(lambda message: decode(message.body))


def takes_message(annotation: Any) -> bool:
    """Whether a parameter gets the message itself."""
    if annotation is inspect.Parameter.empty or annotation is Any:
        return True
    return isinstance(annotation, type) and issubclass(annotation, AsyncMessage)


def json_reader(annotation: Any, whose: str) -> Callable[[bytes], Any]:
    """What reads JSON into *annotation*. Raises ConfigurationError."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation.model_validate_json
    try:
        return msgspec.json.Decoder(annotation, dec_hook=from_plain).decode
    except (TypeError, msgspec.MsgspecError) as error:
        raise ConfigurationError(
            f"{whose} is annotated {annotation!r}, which no message can be read into ({error}); "
            "use a dataclass, msgspec.Struct, pydantic model, dict, bytes or AsyncMessage"
        ) from error


def from_plain(kind: type, value: Any) -> Any:
    """What msgspec does not know: models of pydantic, inside of other types."""
    if issubclass(kind, BaseModel):
        return kind.model_validate(value)
    if isinstance(value, kind):  # object, say
        return value
    raise NotImplementedError(f"{kind.__name__} can not be read from JSON")


def to_plain(value: Any) -> Any:
    """The same for the way out."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    raise NotImplementedError(f"{type(value).__name__} can not be written as JSON")


def _itself(message: AsyncMessage) -> Any:
    return message


def _checked(read: Read) -> Read:
    def checked(message: AsyncMessage) -> Any:
        try:
            return read(message)
        except ValidationError as error:
            raise Unreadable(
                "; ".join(
                    f"{'.'.join(map(str, one['loc'])) or 'body'}: {one['msg']}"
                    for one in error.errors(include_input=False, include_url=False)
                )
            ) from None
        except (
            msgspec.MsgspecError,
            ValueError,
            NotImplementedError,
            RecursionError,
            BrokenEnvelope,
        ) as error:
            raise Unreadable(str(error)) from None

    return checked
