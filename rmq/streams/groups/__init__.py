"""Consumer groups: a function, run for each record of a stream, on as many machines as you like.

Worker ── heartbeat ── leases in Redis: which shards are mine
  └─ Reading of each shard ── Order: what may be handled now ── Handling: your function
        └─ checkpoints ── fenced by the lease's token
"""
