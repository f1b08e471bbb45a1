"""The gateway: AWS's wire protocols in front of the rooms. `rmq serve` is its door.

server      the HTTP server, its processes and its signals
app         from a request to a response, as a chain of steps; no socket anywhere
protocol    JSON, query and CBOR, driven by botocore's service models; pure
sqs         one module for each action, and the table of them
inprocess   boto3 without HTTP
"""
