"""What stands before the routes: bounded bodies, the bearer key, errors as JSON, and the stop watch."""

import asyncio
import hmac
import logging
import time
import traceback

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fraud_platform.core.outcome import Rejected
from fraud_platform.validator_api.metrics import Metrics
from fraud_platform.validator_api.wire import Failure, Fault

BODY_SECONDS = 10.0
"""Longest time that a client may take to send its body."""

_CONTENT_TOO_LARGE, _UNPROCESSABLE = 413, 422
_FRAMEWORK_FAULTS = {
    404: ("not-found", "there is no such path; /docs lists them"),
    405: ("method-not-allowed", "this path takes another method; /docs says which"),
}
_logger = logging.getLogger(__name__)


class Refused(HTTPException):
    """A request that ends here, with the reason for its sender."""

    def __init__(self, status: int, fault: Fault, headers: dict[str, str] | None = None) -> None:
        super().__init__(status, fault.reason, headers)
        self.fault = fault

    @classmethod
    def because(cls, rejected: Rejected) -> "Refused":
        """413 for what is too large, 422 for everything else that cannot be judged."""
        status = _CONTENT_TOO_LARGE if rejected.error_type == "too-large" else _UNPROCESSABLE
        return cls(status, Fault.of(rejected))


def json_response(body: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Any value of `wire` as a JSON reply."""
    return Response(msgspec.json.encode(body), status, headers, "application/json")


async def read_body(request: Request, limit: int) -> bytes:
    """The body, never holding more than `limit` bytes of it, whatever its headers promise.

    Raises:
        Refused: 413 when it is longer, 408 when it takes too long, 400 when the client went away.
    """
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > limit:
        raise _too_large(limit)
    chunks, size = [], 0
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.stream():
                size += len(chunk)
                if size > limit:
                    raise _too_large(limit)
                chunks.append(chunk)
    except TimeoutError:
        raise Refused(408, Fault("timeout", f"the body took more than {BODY_SECONDS:g} s")) from None
    except ClientDisconnect:
        raise Refused(400, Fault("disconnected", "the body ended early")) from None
    return b"".join(chunks)


def _too_large(limit: int) -> Refused:
    return Refused.because(Rejected("too-large", f"the body is larger than {limit} bytes"))


class Bearer:
    """Lets a request pass when no key is set or when it brings the right one."""

    def __init__(self, key: str | None) -> None:
        self._expected = f"Bearer {key}".encode() if key else None

    async def __call__(self, request: Request) -> None:
        """Compare in constant time.

        Raises:
            Refused: 401, without a word on which part was wrong.
        """
        if self._expected is None:
            return
        given = request.headers.get("authorization", "").encode("latin-1")
        if given[:7].lower() == b"bearer ":
            given = b"Bearer " + given[7:]
        if not hmac.compare_digest(given, self._expected):
            fault = Fault("unauthorized", "the bearer key is missing or wrong")
            raise Refused(401, fault, {"WWW-Authenticate": 'Bearer realm="fraud-validator-api"'})


async def http_error(_request: Request, error: Exception) -> Response:
    """Every refusal as JSON in one shape, the framework's own 404 and 405 included."""
    if isinstance(error, Refused):
        return json_response(Failure(error.fault), error.status_code, dict(error.headers or {}))
    if isinstance(error, HTTPException):
        kind, reason = _FRAMEWORK_FAULTS.get(error.status_code, ("refused", "the request cannot be served"))
        fault = Fault(kind, reason)
        return json_response(Failure(fault), error.status_code, dict(error.headers or {}))
    raise error


class Watch:
    """ASGI middleware: measures each request, and turns what nobody foresaw into a plain 500.

    The error's text stays out of the log as well, since it may quote the request.
    """

    def __init__(self, app: ASGIApp, *, metrics: Metrics, routes: frozenset[str]) -> None:
        self._app, self._metrics, self._routes = app, metrics, routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on; only HTTP requests are watched."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status, started = 0, time.perf_counter()

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception as error:  # noqa: BLE001 - the last line of defence: no trace may reach a client
            where = traceback.extract_tb(error.__traceback__)[-1]
            _logger.error(  # noqa: TRY400
                "a request failed unexpectedly: %s at %s:%s", type(error).__name__, where.name, where.lineno
            )
            if not status:
                failure = Failure(Fault("internal", "the service failed; its log names the fault"))
                await json_response(failure, 500)(scope, receive, watched)
        route = scope["path"] if scope["path"] in self._routes else "other"
        self._metrics.request(route, status, time.perf_counter() - started)
