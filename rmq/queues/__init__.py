"""Queues: one message, one consumer, until it says done."""
