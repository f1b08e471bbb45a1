"""The fleet: what `rmq demo` plays, and how it is judged.

Trucks send their positions in order through one FIFO queue, each truck a group, while bulk orders
go through a standard queue. Consumers take from both, and some die in mid-work.

scenario.py  how much of what; what a message says
journal.py   what a consumer notes, so that its death hides nothing
consumer.py  one consumer: take, work, note, delete
crew.py      all consumers: processes that are killed, or threads that are abandoned
play.py      the whole play, from the first send to the last delete
verdict.py   from what was sent and noted to what was kept of the promises
"""
