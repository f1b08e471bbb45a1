"""How we speak to Redis: keys, scripts, executors, envelopes, events and the clock."""
