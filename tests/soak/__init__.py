"""Soak: many processes, for minutes, some of which die. What was promised is judged afterwards.

`worker.py` is one producer or consumer, `crew.py` starts and kills them, `record.py` pieces
together what happened from their journals. Every test but the failover has a short form, which runs
with the other tests.
"""
