"""Payload: from a message's body to what a handler takes, by the annotation of its parameter.

    AsyncMessage, none, Any                 the message itself
    bytes, bytearray, str (or None)         the body
    dict, list, dataclass, TypedDict, ..    the body, read as JSON and checked
    msgspec.Struct                          the same, by msgspec
    pydantic.BaseModel, and unions, lists   the same, by pydantic
    and dicts of them

What does not fit is Unreadable, and no retry will make it fit.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import UnionType
from typing import Any, Union, get_args, get_origin

import msgspec
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError

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
    plain = _without_none(annotation)
    if plain is bytes:
        return _checked(lambda message: message.body)
    if plain is bytearray:
        return _checked(lambda message: bytearray(message.body))
    if plain is str:
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
    ways = [_by_msgspec, _by_pydantic]
    if _has_model(annotation):
        ways.reverse()
    reasons = []
    for way in ways:
        try:
            return way(annotation)
        except (TypeError, msgspec.MsgspecError, PydanticUserError) as error:
            reasons.append(str(error).partition("\n")[0])
    raise ConfigurationError(
        f"{whose} is annotated {annotation!r}, which no message can be read into ({reasons[0]}); "
        "use a dataclass, msgspec.Struct, pydantic model, dict, bytes or AsyncMessage"
    )


def _by_msgspec(annotation: Any) -> Callable[[bytes], Any]:
    return msgspec.json.Decoder(annotation, dec_hook=from_plain).decode


def _by_pydantic(annotation: Any) -> Callable[[bytes], Any]:
    return TypeAdapter(annotation).validate_json


def _has_model(annotation: Any) -> bool:
    """Whether a model of pydantic is part of it. Those know more than msgspec can: unions that are
    told apart by a field, strict types."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return True
    return any(map(_has_model, get_args(annotation)))


def _without_none(annotation: Any) -> Any:
    """`str` of `str | None`: a body that is there is not None."""
    if get_origin(annotation) in (Union, UnionType):
        rest = [one for one in get_args(annotation) if one is not type(None)]
        if len(rest) == 1:
            return rest[0]
    return annotation


def from_plain(kind: type, value: Any) -> Any:
    """What msgspec does not know: models of pydantic, inside of other types."""
    if issubclass(kind, BaseModel):
        try:
            return kind.model_validate(value)
        except ValidationError as error:
            raise ValueError(_said(error)) from None
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


def _said(error: ValidationError) -> str:
    """What pydantic found, in one line, and without the values: those may be secret."""
    return "; ".join(
        f"{'.'.join(map(str, one['loc'])) or 'body'}: {one['msg']}"
        for one in error.errors(include_input=False, include_url=False)
    )


def _checked(read: Read) -> Read:
    def checked(message: AsyncMessage) -> Any:
        try:
            return read(message)
        except ValidationError as error:
            raise Unreadable(_said(error)) from None
        except (
            msgspec.MsgspecError,
            ValueError,
            NotImplementedError,
            RecursionError,
            BrokenEnvelope,
        ) as error:
            raise Unreadable(str(error)) from None

    return checked
