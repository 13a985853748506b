"""The raw limit of reads: a bare aiohttp handler that answers every GET with the same bytes.

`python -m tests.bench.bare PORT`; what it answers is told over stdin, as a JSON string, as often as it changes.
"""

import sys

import orjson
import uvloop
from aiohttp import web

from tests.bench.worker import next_line, say


async def main(port: int) -> None:
    body = b""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=body, content_type="application/json")

    app = web.Application()
    app.router.add_get("/", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    while line := await next_line():
        body = orjson.loads(line).encode()
        say("ready")
    await runner.cleanup()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
