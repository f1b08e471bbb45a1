"""Events over HTTP: `rmq events s3` is its door.

listener   from a request to a response; no socket anywhere
server     the HTTP server
"""
