"""The application asked in this very process, without a server."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI


def call(app: FastAPI, method: str, path: str, body: object = None) -> tuple[int, Any]:
    """Status and JSON of the reply."""
    incoming: Iterator[dict[str, Any]] = iter([{"type": "http.request", "body": json.dumps(body).encode()}])
    sent: list[Any] = []

    async def receive() -> Any:
        return next(incoming, {"type": "http.disconnect"})

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
        "path": path, "raw_path": path.encode(), "root_path": "", "query_string": b"", "headers": [],
    }  # fmt: skip
    asyncio.run(app(scope, receive, send))
    text = b"".join(message.get("body", b"") for message in sent)
    return sent[0]["status"], json.loads(text)
