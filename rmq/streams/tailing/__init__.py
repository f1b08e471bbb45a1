"""Tailing: files that grow, brought into a stream line by line, as Amazon's Kinesis Agent does.

    files ── follower ── framing ── keys ──> producer ──> stream
               └── state file  <── what the stream has ──┘

A file is known by device and inode, not by its name, so it is read to its end when it is renamed.
What a state file says is read is in the stream; what is in the stream may be read again after a
crash: at least once.
"""

from rmq.streams.tailing.agent import Agent
from rmq.streams.tailing.keys import KeyRule

__all__ = ["Agent", "KeyRule"]
