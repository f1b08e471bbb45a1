"""The bare application: reads a request and answers what the endpoint answered once.

    python -m benchmarks.bare FILE PORT

Not granian set up like the endpoint's but the endpoint's own: `rmq serve` runs, and what granian
loads is exchanged. So it is the least that any Python application behind that HTTP server takes.
FILE is JSON: for each X-Amz-Target, the headers and the body to answer.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from rmq.core.limits import Limits
from rmq.gateway import server
from rmq.settings import EndpointSettings


def _bare(*_: Any) -> Any:
    answers = {
        action: ([(name, value) for name, value in headers], body.encode())
        for action, (headers, body) in json.loads(Path(sys.argv[1]).read_bytes()).items()
    }

    async def application(scope: Any, protocol: Any) -> None:
        await protocol()
        headers, body = answers[scope.headers["x-amz-target"]]
        protocol.response_bytes(200, headers, body)

    return application


if __name__ == "__main__":
    server._load = _bare
    settings = EndpointSettings(url="memory://")
    server.serve(server.Serving(settings=settings, limits=Limits.aws(), port=int(sys.argv[2])))
