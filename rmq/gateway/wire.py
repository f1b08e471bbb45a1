"""Wire: a request in one protocol, and its answer in the same one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from rmq.gateway.credential import Credential
from rmq.gateway.errors import AwsError, unknown_operation
from rmq.gateway.http import Request, Response
from rmq.gateway.protocol import cbor, json, query
from rmq.gateway.protocol.shapes import Problem
from rmq.gateway.service import Answer, Given, Operation, Service
from rmq.gateway.streaming import streamed

JSON_TYPES = ("application/x-amz-json-1.0", "application/x-amz-json-1.1", "application/json")
FORM_TYPE = "application/x-www-form-urlencoded"
_TARGETED = frozenset((*JSON_TYPES, cbor.CONTENT_TYPE))
"""Who sends these names the operation in a header."""


class JsonWire:
    """AWS JSON 1.0 or 1.1."""

    def __init__(self, service: Service | None, request: Request, content_type: str) -> None:
        self._request = request
        self._type = content_type if content_type in JSON_TYPES else JSON_TYPES[0]
        self._says_code = service is None or service.is_query_compatible

    def read(self, operation: Operation, problems: list[Problem]) -> Given:
        return json.read(operation.read_json, self._request.body, problems)

    def answer(self, operation: Operation, output: Answer) -> Response:
        if operation.stream is not None and output is not None:
            events = output[operation.stream[0]]
            return streamed(operation, events, self._type, json.write, as_json=True)
        if operation.as_json is not None and output is not None:
            output = operation.as_json(output)
        return Response(200, json.write(output), self._type)

    def refuse(self, error: AwsError) -> Response:
        return Response(error.status, json.write_error(error), self._type, self._headers(error))

    def _headers(self, error: AwsError) -> dict[str, str]:
        found = {"x-amzn-errortype": error.shape}
        if self._says_code:
            # SDKs that once spoke query with this service still go by its codes.
            found["x-amzn-query-error"] = f"{error.code};{error.side}"
        return found


class CborWire(JsonWire):
    """AWS CBOR 1.1."""

    def read(self, operation: Operation, problems: list[Problem]) -> Given:
        return cbor.read(operation.read_cbor, self._request.body, problems)

    def answer(self, operation: Operation, output: Answer) -> Response:
        if operation.stream is not None and output is not None:
            events = output[operation.stream[0]]
            return streamed(operation, events, cbor.CONTENT_TYPE, cbor.write, as_json=False)
        return Response(200, cbor.write(output), cbor.CONTENT_TYPE)

    def refuse(self, error: AwsError) -> Response:
        return Response(
            error.status, cbor.write_error(error), cbor.CONTENT_TYPE, self._headers(error)
        )


class QueryWire:
    """A form in, XML out."""

    def __init__(self, service: Service | None, request: Request, form: query.Form) -> None:
        self._service = service
        self._request = request
        self._form = form

    def read(self, operation: Operation, problems: list[Problem]) -> Given:
        return query.read(operation.nest, operation.read_query, self._form, problems)

    def answer(self, operation: Operation, output: Answer) -> Response:
        assert self._service is not None
        body = query.write(
            operation.name,
            operation.wrapper,
            operation.write_xml,
            self._service.xml_namespace,
            output,
            self._request.id,
        )
        return Response(200, body, query.CONTENT_TYPE)

    def refuse(self, error: AwsError) -> Response:
        service = self._service
        namespace = service.xml_namespace if service else "http://webservices.amazon.com/AWSFault/"
        detail = service.error_detail if service else ""
        body = query.write_error(error, namespace, detail, self._request.id)
        return Response(error.query_status, body, query.CONTENT_TYPE)


Wire = JsonWire | QueryWire


class Asked(NamedTuple):
    """What a request asks for, or why that can not be said."""

    wire: Wire
    service: Service | None = None
    operation: Operation | None = None
    error: AwsError | None = None


class Router:
    """Finds service and operation by target header, form, path or credential scope."""

    def __init__(self, services: Iterable[Service]) -> None:
        self._services = tuple(services)
        self._formed = tuple(one for one in self._services if one.speaks_forms)
        self._by_name = {one.name: one for one in self._formed}
        self._by_prefix = {one.target_prefix: one for one in self._services if one.target_prefix}
        self._by_version = {one.version: one for one in self._formed}

    def asked(self, request: Request, form: query.Form, credential: Credential) -> Asked:
        """*form* holds the pairs of the URL, and of the body where it is a form."""
        content_type = content_type_of(request)
        target = request.headers.get("x-amz-target")
        if target is None and content_type not in _TARGETED:
            return self._by_form(request, form, credential)
        prefix, _, action = (target or "").rpartition(".")
        service = self._by_prefix.get(prefix)
        kind = CborWire if content_type == cbor.CONTENT_TYPE else JsonWire
        wire = kind(service, request, content_type)
        operation = service.table.get(action) if service else None
        error = None
        if operation is None:
            error = unknown_operation(target[:100] if target else "without an X-Amz-Target header")
        return Asked(wire, service, operation, error)

    def _by_form(self, request: Request, form: query.Form, credential: Credential) -> Asked:
        action = form.get("Action")
        service = self._by_name.get(credential.service) or self._by_version.get(
            form.get("Version", "")
        )
        if service is None and action is not None:
            having = (one for one in self._formed if action in one.table)
            service = next(having, None)
        wire = QueryWire(service, request, form)
        if action is None:
            error = AwsError("MissingAction", "The request must contain the parameter Action.")
            return Asked(wire, service, None, error)
        operation = service.table.get(action) if service else None
        if operation is None:
            return Asked(wire, service, None, unknown_operation(action[:100]))
        return Asked(wire, service, operation)


def content_type_of(request: Request) -> str:
    """Without its parameters, in lower case."""
    header = request.headers.get("content-type", "")
    return header if header in _TARGETED else header.partition(";")[0].strip().lower()


def form_of(request: Request) -> query.Form:
    """The pairs of the URL's query, and of the body where that is a form. Raises AwsError."""
    if not request.query and not (request.body and content_type_of(request) in (FORM_TYPE, "")):
        return {}
    form = query.read_form(request.query) if request.query else {}
    if request.body and content_type_of(request) in (FORM_TYPE, ""):
        try:
            form |= query.read_form(request.body.decode("ascii"))
        except UnicodeDecodeError:
            form |= query.read_form(request.body.decode("utf-8", "replace"))
    return form
