"""Service: one of AWS's services as the gateway plays it: a model, a table of operations, and the
few things in which services differ.

A new service is one such table, and one module for each operation.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from botocore.loaders import Loader
from botocore.model import ServiceModel

from rmq.errors import RmqError
from rmq.gateway.errors import AwsError
from rmq.gateway.protocol import cbor, json, query
from rmq.gateway.protocol.shapes import Problem, reader

if TYPE_CHECKING:
    from rmq.gateway.caller import Caller

Given = dict[str, Any]
"""An operation's parameters, by the names of the model."""
Answer = dict[str, Any] | None
"""What it returns, by the names of the model, without what is absent."""
Handler = Callable[["Caller", Given], Awaitable[Answer]]


class Operation:
    """One operation of a service. What a protocol needs is made from the model when first used."""

    def __init__(self, name: str, model: Any, handler: Handler) -> None:
        self.name = name
        self.handler = handler
        self._model = model

    @cached_property
    def has_output(self) -> bool:
        return self._model.output_shape is not None

    @cached_property
    def read_json(self) -> Any:
        return reader(self._model.input_shape, json.SCALARS) if self._has_input else _nothing

    @cached_property
    def read_cbor(self) -> Any:
        return reader(self._model.input_shape, cbor.SCALARS) if self._has_input else _nothing

    @cached_property
    def read_query(self) -> Any:
        return reader(self._model.input_shape, query.SCALARS) if self._has_input else _nothing

    @cached_property
    def nest(self) -> Any:
        return query.nester(self._model.input_shape) if self._has_input else lambda tree: {}

    @cached_property
    def write_xml(self) -> Any:
        return query.writer(self._model.output_shape) if self.has_output else None

    @cached_property
    def as_json(self) -> Any:
        """What makes JSON's answer of one; None where that is the answer itself."""
        return json.with_seconds(self._model.output_shape) if self.has_output else None

    @cached_property
    def stream(self) -> tuple[str, Any] | None:
        """The member of the output that goes on as events, with its shape; most have none."""
        shape = self._model.get_event_stream_output()
        if shape is None:
            return None
        return str(self._model.output_shape.event_stream_name), shape

    @cached_property
    def events_as_json(self) -> dict[str, Any]:
        """For each kind of event what as_json is for an answer."""
        assert self.stream is not None
        return {name: json.with_seconds(one) for name, one in self.stream[1].members.items()}

    @cached_property
    def wrapper(self) -> str | None:
        """The name of the result's element in XML; None where there is none."""
        own = (
            self._model.output_shape.serialization.get("resultWrapper") if self.has_output else None
        )
        return str(own) if own else (f"{self.name}Result" if self.has_output else None)

    @property
    def _has_input(self) -> bool:
        return self._model.input_shape is not None


def _nothing(value: Any, problems: list[Problem]) -> Given:
    return {}


@dataclass(kw_only=True)
class Service:
    """One service. Names and shapes are the model's; *overlay* may add what it leaves out."""

    name: str
    """The endpoint's name, as a credential scope has it: sqs."""
    model_name: str
    operations: Mapping[str, Handler]
    error: Callable[[str, str, int | None], AwsError]
    """An error of the model by its name, with a message and perhaps another status."""
    refuse: Callable[[list[Problem], str], AwsError | None]
    """From what is wrong by the model, and the operation, to an error; None lets it pass."""
    translate: Callable[[RmqError, Caller, Given], AwsError]
    """From an error of ours to one of AWS's."""
    confirm: Callable[[Caller, Given], Awaitable[None]] | None = None
    """Before a refusal goes out: raise what AWS would have found first (no such queue)."""
    adopt: Callable[[str, Given, list[Problem]], None] | None = None
    """Take from the request's path what the parameters leave out."""
    overlay: Callable[[dict[str, Any]], None] | None = None
    speaks_forms: bool = True
    """Whether it has, or once had, the query protocol."""
    pushes: bool = False
    """What it is asked for may leave something to a dispatcher."""
    error_detail: str = ""
    """What stands behind an error's message in XML."""

    @cached_property
    def model(self) -> Any:
        raw = Loader().load_service_model(self.model_name, "service-2")
        if self.overlay is not None:
            self.overlay(raw)
        return ServiceModel(raw, self.model_name)

    @cached_property
    def target_prefix(self) -> str:
        return str(self.model.metadata.get("targetPrefix", ""))

    @cached_property
    def is_query_compatible(self) -> bool:
        """It spoke the query protocol once, and its JSON errors say those codes too."""
        return "awsQueryCompatible" in self.model.metadata

    @cached_property
    def xml_namespace(self) -> str:
        found = self.model.metadata.get("xmlNamespace")
        return str(found or f"http://{self.name}.amazonaws.com/doc/{self.version}/")

    @cached_property
    def version(self) -> str:
        return str(self.model.metadata["apiVersion"])

    @cached_property
    def table(self) -> dict[str, Operation]:
        """Operations by name. An older botocore does not know the latest ones, nor do its users."""
        there = frozenset(self.model.operation_names)
        return {
            name: Operation(name, self.model.operation_model(name), handler)
            for name, handler in self.operations.items()
            if name in there
        }
