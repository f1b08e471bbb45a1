"""Streams: an ordered, replayable log cut into shards (Kinesis Data Streams)."""
