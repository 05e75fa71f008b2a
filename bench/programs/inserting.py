"""What one would write oneself: Litestar, one route, one INSERT in PostgreSQL, committed before the answer. Nothing is verified.

Tells its address, and serves until it is ended.
"""

import hashlib
import socket
import sys

import uvicorn
from litestar import Litestar, Request, post
from psycopg_pool import AsyncConnectionPool

pool = AsyncConnectionPool(sys.argv[1], min_size=8, max_size=8, open=False)


@post("/v1/documents", status_code=201)
async def submit(request: Request) -> dict:
    body = await request.body()
    digest = hashlib.sha256(body).digest()
    async with pool.connection() as connection:
        found = await connection.execute(
            "INSERT INTO plain (digest, data) VALUES (%s, %s) RETURNING position", (digest, body)
        )
        (position,) = await found.fetchone()
    return {"position": position, "digest": digest.hex()}


async def begin() -> None:
    await pool.open(wait=True)
    async with pool.connection() as connection:
        await connection.execute("DROP TABLE IF EXISTS plain")
        await connection.execute(
            "CREATE TABLE plain (position bigserial PRIMARY KEY, digest bytea UNIQUE, data bytea)"
        )


async def end() -> None:
    await pool.close()


bound = socket.create_server(("127.0.0.1", 0))
print(f"http://127.0.0.1:{bound.getsockname()[1]}", flush=True)
app = Litestar([submit], on_startup=[begin], on_shutdown=[end], openapi_config=None, logging_config=None)
uvicorn.Server(uvicorn.Config(app, log_level="error", access_log=False)).run(sockets=[bound])
