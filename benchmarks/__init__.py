"""Benchmarks: what our promises cost, beside the same work in bare stream commands.

    python -m benchmarks                            all, beside a floor in the same run; minutes
    python -m benchmarks --only one-send --quick    one figure, roughly, in seconds

`figure.py` says what a figure is and how two sides are compared; `bench.py` holds the server and
the floor; every other file is one group of figures.
"""
