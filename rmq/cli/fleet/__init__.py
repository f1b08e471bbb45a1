"""The fleet: what `rmq demo` plays, and how it is judged.

Publishers give the trucks' positions in order to a FIFO topic, each truck a group; three FIFO
queues get what their filters let through. Bulk orders go through a standard queue. Consumers take
from all four. Some of both kinds die in mid-work.

scenario.py   how much of what; what a message says, and who should get it
journal.py    what a worker notes, so that its death hides nothing
publisher.py  one publisher: publish, note; begin again where the one before it died
consumer.py   one consumer: take, work, note, delete
worker.py     either of them, as a process that is killed, or as a thread that is abandoned
crew.py       all workers of one kind
play.py       the whole play, from the first publish to the last delete
verdict.py    from what was sent and noted to what was kept of the promises
"""
