"""The command line: what the library does, in a terminal. One module, or one folder, per noun.

main.py     rmq: the options that every command has, and the one place that ends a command
session.py  what a command works with: a client, and a way to answer
output.py   how an answer looks: tables and progress for people, JSON for programs
failures.py from an error to one line and an exit status
values.py   durations, tags and attributes as they are typed
queue/      rmq queue ..
demo.py     rmq demo, which plays what fleet/ holds
"""
