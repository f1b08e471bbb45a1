"""Channels: a stream's way to S3 or S3 Tables, as it was asked for. Nothing is delivered: rmq keeps
and returns what clients set up, and that is all.

Source: CreateChannel, UpdateChannel (Amazon Kinesis Data Streams API Reference).
"""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import Any

import msgspec

from rmq.core.keys import StreamKeys
from rmq.core.place import Place
from rmq.errors import CallerError
from rmq.gateway.caller import Caller
from rmq.gateway.errors import AwsError
from rmq.gateway.kinesis.errors import not_found, not_valid
from rmq.gateway.kinesis.place import resource
from rmq.gateway.service import Given
from rmq.outlets.catalog import Catalog
from rmq.streams import commands
from rmq.streams.attributes import StreamInfo

FRESHNESS_S = 300
MOST_CHANNELS = 100
"""Of an account, as DescribeLimits tells; nobody counts."""
NO_LOGS = {"CloudWatchLogs": {"Enabled": False}}
S3 = "S3DestinationConfiguration"
TABLES = "S3TablesDestinationConfiguration"
FORMATS = {S3: ("JSON", "STRING", "BYTE_ARRAY"), TABLES: ("GSR_JSON", "JSON")}
"""Which record formats a destination takes."""


class Channel(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A channel as it is kept."""

    id: str
    name: str
    created_ms: int
    stream_arn: str
    stream_created_ms: int
    role_arn: str
    record: dict[str, Any]
    destination: str
    """S3 or TABLES."""
    settings: dict[str, Any]
    """Of the destination."""
    encryption: dict[str, Any] | None = None
    logging: dict[str, Any] = msgspec.field(default_factory=lambda: NO_LOGS)
    tags: dict[str, str] = {}
    policy: str = ""


def new_id() -> str:
    """The id of something new, for its ARN."""
    return secrets.token_hex(16)


def moment(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC)


def channels(caller: Caller, place: Place | None = None) -> Catalog[Channel]:
    """The channels of a place; the caller's own unless told."""
    client = caller.client if place is None else caller.accounts.client(*place)
    return Catalog(client, "channels", Channel)


async def add(caller: Caller, info: StreamInfo, channel: Channel) -> bool:
    """Keep a new channel; its stream is not deleted from under it. False where its name is taken.
    Raises StreamDoesNotExist, StreamInUse."""
    kept = channels(caller, info.place)
    if not await kept.add(channel):
        return False
    client = caller.accounts.client(*info.place)
    place = StreamKeys(client.namespace, info.name)
    try:
        await client._executor.call(commands.attach(place.channels, place, info, channel.id))
    except CallerError:
        await kept.change(channel.id, lambda channel: None)
        raise
    return True


async def remove(caller: Caller, place: Place, channel: Channel) -> None:
    """Forget a channel."""
    client = caller.accounts.client(*place)
    stream = channel.stream_arn.rpartition("/")[2]
    attached = StreamKeys(client.namespace, stream).channels
    await client._executor.call(commands.detach(attached, stream, channel.id))
    await channels(caller, place).change(channel.id, lambda channel: None)


def no_channel(arn: str) -> AwsError:
    return not_found(f"Channel {arn} not found.")


async def found(caller: Caller, given: Given) -> tuple[Place, Channel]:
    """The channel that ChannelARN names, and where it is. Raises AwsError."""
    one = resource(given["ChannelARN"], "ChannelARN", "channel")
    channel = await channels(caller, one.place).find(one.name)
    if channel is None:
        raise no_channel(given["ChannelARN"])
    return one.place, channel


def destination_in(given: Given) -> str:
    """Which destination a request speaks of: exactly one. Raises AwsError."""
    said = [one for one in (S3, TABLES) if one in given]
    if len(said) != 1:
        raise not_valid(f"Exactly one of {S3} and {TABLES} must be specified.")
    return said[0]


def settings_in(given: Given, record: dict[str, Any]) -> dict[str, Any]:
    """The destination's settings, with defaults. Raises AwsError."""
    kind = destination_in(given)
    settings = {"DataFreshnessInSeconds": FRESHNESS_S, **given[kind]}
    check_freshness(settings)
    form = record["RecordFormatType"]
    if form not in FORMATS[kind]:
        raise not_valid(f"RecordFormatType {form} is not supported with {kind}.")
    if (form == "GSR_JSON") != ("GSRSchemaARN" in record):
        raise not_valid("GSRSchemaARN goes with the RecordFormatType GSR_JSON, and only with it.")
    if kind == TABLES and len(settings["S3TablesConfigurationList"]) != 1:
        raise not_valid("S3TablesConfigurationList must contain exactly one table.")
    if kind == S3 and "DeadLetterQueueS3Configuration" not in settings:
        storage = settings["StorageConfiguration"]
        own = {name: storage[name] for name in ("BucketARN", "ExpectedBucketOwner")}
        settings["DeadLetterQueueS3Configuration"] = own | {"ErrorOutputPrefix": "errors/"}
    return settings


def check_freshness(settings: dict[str, Any]) -> None:
    """Raises AwsError."""
    if settings["DataFreshnessInSeconds"] < 1:
        raise not_valid("DataFreshnessInSeconds must be at least 1.")


def described(channel: Channel, place: Place, status: str = "ACTIVE") -> dict[str, Any]:
    """A channel as DescribeChannel shows it."""
    shown = _begun(channel, place, status) | {
        "ServiceExecutionRoleARN": channel.role_arn,
        "StreamConfigurationList": [_stream(channel) | {"RecordConfiguration": channel.record}],
        channel.destination: channel.settings,
        "LoggingConfiguration": channel.logging,
    }
    if channel.encryption is not None:
        shown["EncryptionConfiguration"] = channel.encryption
    return shown


def summary(channel: Channel, place: Place) -> dict[str, Any]:
    """A channel as ListChannels shows it."""
    kind = "S3" if channel.destination == S3 else "S3_TABLES"
    more = {"ChannelDestinationType": kind, "Streams": [_stream(channel)]}
    return _begun(channel, place, "ACTIVE") | more


def _begun(channel: Channel, place: Place, status: str) -> dict[str, Any]:
    return {
        "ChannelName": channel.name,
        "ChannelARN": place.arn("kinesis", f"channel/{channel.id}"),
        "ChannelId": channel.id,
        "ChannelStatus": status,
        "ChannelCreationTimestamp": moment(channel.created_ms),
    }


def _stream(channel: Channel) -> dict[str, Any]:
    return {
        "StreamARN": channel.stream_arn,
        "StreamCreationTimestamp": moment(channel.stream_created_ms),
    }
