"""Who may do what, who signed it, and whom this machine may be made to call. Nothing here does I/O
of its own accord, and nothing here knows a queue or a topic."""
