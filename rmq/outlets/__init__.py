"""Outlets: what takes a stream's records on to somebody: queues on it, and the list of channels."""
