"""Senders: what takes a message to its endpoint, one for each protocol or kind of them."""
