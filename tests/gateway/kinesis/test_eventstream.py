"""Event stream: what we write, botocore reads; and the example of the specification, to the bit."""

from __future__ import annotations

import pytest
from botocore.eventstream import ChecksumMismatch, EventStreamBuffer

from rmq.gateway.protocol import eventstream

EXAMPLE = bytes.fromhex(
    "0000006d0000005bf839e4e90b3a6576656e742d74797065070015537562736372696265546f53686172644576656e"
    "740d3a636f6e74656e742d747970650700106170706c69636174696f6e2f6a736f6e0d3a6d6573736167652d747970"
    "650700056576656e747b7db2acc5ae"
)


def _read(*messages: bytes, chunk: int = 7) -> list[tuple[dict[str, str], bytes]]:
    buffer, found, data = EventStreamBuffer(), [], b"".join(messages)
    for at in range(0, len(data), chunk):
        buffer.add_data(data[at : at + chunk])
        found += [(one.headers, one.payload) for one in buffer]
    return found


def test_an_event_is_as_the_example():
    assert eventstream.event("SubscribeToShardEvent", "application/json", b"{}") == EXAMPLE


def test_events_and_errors_come_out_as_they_went_in():
    events = [
        eventstream.event("initial-response", "application/x-amz-json-1.1", b"{}"),
        eventstream.event("SubscribeToShardEvent", "application/x-amz-cbor-1.1", bytes(70_000)),
        eventstream.exception("ResourceInUseException", "application/json", b'{"message":"x"}'),
        eventstream.error("ServiceUnavailable", "Auf Wiedersehen, schöne Welt"),
    ]
    first, second, third, last = _read(*events)
    assert first[0][":event-type"] == "initial-response"
    assert second[1] == bytes(70_000)
    assert third == (
        {
            ":exception-type": "ResourceInUseException",
            ":content-type": "application/json",
            ":message-type": "exception",
        },
        b'{"message":"x"}',
    )
    assert last == (
        {
            ":error-code": "ServiceUnavailable",
            ":error-message": "Auf Wiedersehen, schöne Welt",
            ":message-type": "error",
        },
        b"",
    )


@pytest.mark.parametrize("place", [0, 9, 20, -5, -1])
def test_a_bit_that_tipped_over_is_found(place: int):
    broken = bytearray(EXAMPLE)
    broken[place] ^= 1
    with pytest.raises((ChecksumMismatch, AssertionError)):
        assert _read(bytes(broken)) != []
