"""A service of the stack's tests: `migrate` makes a table, the other roles answer /readyz, `die` does not start."""

import asyncio
import os
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

import asyncpg


class Ready(BaseHTTPRequestHandler):
    """Answers whatever is asked with 200."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()


async def migrate() -> None:
    connection = await asyncpg.connect(os.environ["MAKEGOOD_DATABASE"])
    await connection.execute("CREATE TABLE IF NOT EXISTS kept (line text); GRANT ALL ON kept TO PUBLIC")
    schema = await connection.fetchval("SELECT current_schema()")
    await connection.execute(f'GRANT USAGE ON SCHEMA "{schema}" TO PUBLIC')
    await connection.close()


if __name__ == "__main__":
    match sys.argv[1]:
        case "migrate":
            asyncio.run(migrate())
        case "die":
            sys.exit("the reason why it does not start")
        case _:
            HTTPServer(("127.0.0.1", int(os.environ["MAKEGOOD_HTTP_PORT"])), Ready).serve_forever()
