"""Consuming: one queue at work in one process, from the receive of a message to its end."""
