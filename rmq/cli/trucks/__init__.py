"""Trucks: the same positions on a stream and on a FIFO queue, and how much is done at one time.

A stream keeps the order in a shard, so a shard has one reader at a time: 5 shards, 5 at work. A
FIFO queue keeps it in a group, so as many are at work as there are trucks. What a stream has
instead is that nothing is gone when it was read: another group reads it all again, and with several
keys of a shard at a time it is as fast.

scene.py     who puts and who works, in which ways, and what is counted
command.py   `rmq demo trucks`, and how it is drawn
"""
