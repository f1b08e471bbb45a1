"""The client: one connection, all rooms."""
