"""Producing: what Amazon's Kinesis Producer Library (KPL) does on the way into a stream."""
