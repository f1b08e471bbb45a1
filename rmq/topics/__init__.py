"""Topics: one message, many subscribers, filtered."""
