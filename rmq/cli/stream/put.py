"""Putting: one record from the command line, or all of stdin, one a line, at full speed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Annotated, Any

import typer

from rmq import Producer, Record, RmqError
from rmq.cli.feed import Feed, Format, from_stdin
from rmq.cli.session import session_of
from rmq.cli.stream import shapes
from rmq.cli.stream.keys import Key, KeyPattern, key_rule
from rmq.cli.stream.lines import from_json
from rmq.cli.stream.manage import Name
from rmq.streams.tailing.keys import KeyRule


def put(
    ctx: typer.Context,
    name: Name,
    data: Annotated[
        str | None,
        typer.Argument(
            metavar="DATA", help="The record; left out or - reads stdin.", show_default=False
        ),
    ] = None,
    key: Key = None,
    key_pattern: KeyPattern = None,
    hash_key: Annotated[
        str | None,
        typer.Option(metavar="N", help="Decides the shard instead of the partition key."),
    ] = None,
    aggregate: Annotated[
        bool,
        typer.Option(
            "--aggregate",
            metavar="",
            help="Pack many lines into one record, as Amazon's KPL does.",
            show_default=False,
        ),
    ] = False,
    format: Annotated[
        Format,
        typer.Option(
            metavar="plain|jsonl",
            help='plain: a line is a record. jsonl: a line is {"data", "key", "hash_key"}.',
        ),
    ] = Format.PLAIN,
) -> None:
    """Put a record, or every line of stdin as one.

    Lines that are refused are named on stderr; the others are put; the status is 1. Lines with the
    same key keep their order.
    """
    session = session_of(ctx)
    rule = key_rule(key, key_pattern)
    stream = session.client.stream(name)
    if not from_stdin(session.output, data):
        text = os.fsencode(str(data))
        done = stream.put(text, rule(text, ""), explicit_hash_key=hash_key)
        if session.as_json:
            session.output.document(shapes.put_shape(done))
        else:
            session.output.say(f"put into {done.shard_id}, sequence number {done.sequence_number}")
        return
    stream.info()  # a stream that is not there is said before anything is read
    make = _maker(rule, hash_key, format is Format.JSONL)
    if not aggregate:
        Feed(session.output, make, stream.put_many, "put").run()
        return
    with stream.producer() as producer:
        Feed(session.output, make, _through(producer), "put").run()


def _maker(rule: KeyRule, hash_key: str | None, is_json: bool) -> Callable[[int, bytes], Record]:
    """From a line to a record; what the line says goes before the options."""

    def make(number: int, line: bytes) -> Record:
        if not is_json:
            return Record(line, rule(line, ""), hash_key)
        given = from_json(line)
        if given.get("partition_key") is None:
            data = given["data"]
            given["partition_key"] = rule(data.encode() if isinstance(data, str) else data, "")
        return Record(**{"explicit_hash_key": hash_key} | given)

    return make


def _through(producer: Producer) -> Callable[[list[Record]], Iterable[Any]]:
    """Put by a producer, and wait until all of it is done."""

    def put_many(records: list[Record]) -> list[Any]:
        answers: list[Any] = []
        for one in records:
            key, hash_key = one.partition_key or "", one.explicit_hash_key
            try:
                answers.append(producer.put(one.data, key, explicit_hash_key=hash_key))
            except RmqError as error:
                answers.append(error)
        producer.flush()
        return [
            one if isinstance(one, RmqError) else one.exception() or one.result() for one in answers
        ]

    return put_many
