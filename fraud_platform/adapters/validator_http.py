"""One HTTP exchange with fraud-validator-api, every wait and every size bounded."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from http.cookiejar import DefaultCookiePolicy
from socket import SHUT_RDWR
from typing import Any
from urllib.parse import urlsplit
from weakref import WeakSet

import msgspec
import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError, ReadTimeoutError

from fraud_platform.errors import ConfigurationError, ValidatorUnavailable

REPLY_BYTES, REPLY_BYTES_PER_ANSWER = 64 * 1024, 4 * 1024
"""What a reply may hold at all, and for each answer: our own service's answers have 100 to 600 bytes."""
_ESCAPED = 3
"""An answer repeats its question's id, and a service that escapes it makes three bytes of one."""
_CHUNK_BYTES = 64 * 1024
_SHORTEST_S = 0.01  # a timeout of 0 would mean "do not block" to the socket
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


class HttpReply(msgspec.Struct, frozen=True):
    """Status, body, and how long the service asks us to wait (seconds)."""

    status: int
    body: bytes
    retry_after_s: float = 0.0


class Budget:
    """The time that one call may take in all, shared by its threads; a stop or a failure ends it early.

    Without a first answer within `first_s` nobody is there, and the call ends then.
    """

    def __init__(self, seconds: float, stop: Callable[[], bool], *, first_s: float | None = None) -> None:
        self._seconds, self._stop = seconds, stop
        self._begin = time.monotonic()
        self._limit_s = min(seconds, first_s or seconds)
        self._cancelled = threading.Event()
        self.last_fault = "no reply"

    def remaining(self) -> float:
        """Seconds left; 0 once cancelled."""
        return 0.0 if self._cancelled.is_set() else max(0.0, self._begin + self._limit_s - time.monotonic())

    def answered(self) -> None:
        """Somebody is there: the whole time may be used."""
        self._limit_s = self._seconds

    def check(self) -> None:
        """Raises ValidatorUnavailable when the time is over or a stop was asked for."""
        if self._stop():
            raise ValidatorUnavailable("The wait for fraud-validator-api ended early: a stop was asked for.")
        if not self.remaining():
            raise self.exhausted()

    def wait(self, seconds: float) -> None:
        """Sleep between two tries.

        Raises:
            ValidatorUnavailable: the budget does not reach that far.
        """
        if seconds >= self.remaining() or self._cancelled.wait(seconds):
            raise self.exhausted()

    def exhausted(self) -> ValidatorUnavailable:
        """The error that ends the call, with the last fault seen."""
        fault = self.last_fault
        return ValidatorUnavailable(f"fraud-validator-api gave no usable answer within {self._limit_s:g} s: {fault}.")

    def cancel(self) -> None:
        """Let every thread of the call end soon."""
        self._cancelled.set()


class Exchange:
    """A session whose exchanges can be cut off from another thread.

    Socket timeouts bound each read, not their sum: a server that drips one byte a second would hold a
    thread for hours. `abort` shuts the sockets under it.
    """

    def __init__(
        self,
        url: str,
        api_key: str | None,
        *,
        connections: int,
        connect_timeout_s: float,
        read_timeout_s: float,
    ) -> None:
        self._timeouts = connect_timeout_s, read_timeout_s
        self._adapter = _Adapter(connections)
        self._session = requests.Session()
        self._session.mount("http://", self._adapter)
        self._session.mount("https://", self._adapter)
        self._session.headers.update({"Accept": "application/json", "Accept-Encoding": "identity"})
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        # A proxy of the environment must not see what stays on this machine.
        self._session.trust_env = urlsplit(url).hostname not in _LOOPBACK
        if api_key:
            self._session.auth = _Bearer(api_key)

    def post(self, url: str, body: bytes, budget: Budget, *, answers: int) -> HttpReply:
        """Send JSON and read the whole reply, which is to hold so many answers.

        Raises:
            ValidatorUnavailable: no connection, no reply in time, or one that is too large or encoded.
            ConfigurationError: the certificate cannot be trusted.
        """
        limit = REPLY_BYTES + answers * REPLY_BYTES_PER_ANSWER + _ESCAPED * len(body)
        return self._send("POST", url, body, budget, limit)

    def get(self, url: str, budget: Budget) -> HttpReply:
        """As `post`, without a body."""
        return self._send("GET", url, None, budget, REPLY_BYTES)

    def _send(self, method: str, url: str, body: bytes | None, budget: Budget, limit: int) -> HttpReply:
        left = max(budget.remaining(), _SHORTEST_S)
        connect, read = (min(timeout, left) for timeout in self._timeouts)
        with _translated_errors():
            response = self._session.request(
                method,
                url,
                data=body,
                headers={"Content-Type": "application/json"} if body is not None else None,
                timeout=(connect, read),
                allow_redirects=False,
                stream=True,
            )
            with closing(response):
                return HttpReply(response.status_code, _read(response, limit), _retry_after(response))

    def abort(self) -> None:
        """Cut off every exchange under way; the next one connects anew."""
        self._adapter.live.shut()

    def close(self) -> None:
        """Cut off what is under way and forget the connections."""
        self.abort()
        self._session.close()


@contextmanager
def _translated_errors() -> Iterator[None]:
    """Only the kind of a client error is told: its text holds addresses and may hold a query string."""
    try:
        yield
    except requests.exceptions.SSLError as error:
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            raise ConfigurationError(
                "The certificate of fraud-validator-api is not trusted: set REQUESTS_CA_BUNDLE to its CA."
            ) from None
        raise ValidatorUnavailable("TLS failed") from None
    except (requests.Timeout, TimeoutError, ReadTimeoutError):
        raise ValidatorUnavailable("no reply in time") from None
    except requests.ConnectionError:
        raise ValidatorUnavailable("no connection") from None
    except (requests.RequestException, HTTPError, OSError) as error:
        raise ValidatorUnavailable(type(error).__name__) from None


def _read(response: requests.Response, limit: int) -> bytes:
    """The body; one that is announced or found to be too long is not read on, so that it costs no memory."""
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise ValidatorUnavailable("an encoded reply that was not asked for")
    announced = response.headers.get("Content-Length", "")
    too_long = ValidatorUnavailable(f"a reply of more than {limit} bytes")
    if announced.isascii() and announced.isdigit() and int(announced[:20]) > limit:
        raise too_long
    chunks, size = [], 0
    for chunk in response.raw.stream(_CHUNK_BYTES, decode_content=False):
        size += len(chunk)
        if size > limit:
            raise too_long
        chunks.append(chunk)
    return b"".join(chunks)


def _retry_after(response: requests.Response) -> float:
    asked = response.headers.get("Retry-After", "")
    return float(asked) if asked.isascii() and asked.isdigit() and len(asked) < 6 else 0.0  # noqa: PLR2004


class _Bearer(AuthBase):
    """As an auth object, so that a .netrc of the machine cannot replace the key."""

    def __init__(self, key: str) -> None:
        self._header = f"Bearer {key}"

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = self._header
        return request


class _Live:
    """The connections of one adapter, for shutting them from another thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._connections: WeakSet[HTTPConnection] = WeakSet()

    def add(self, connection: HTTPConnection) -> None:
        with self._lock:
            self._connections.add(connection)

    def shut(self) -> None:
        with self._lock:
            connections = list(self._connections)
        for connection in connections:
            with suppress(OSError, AttributeError):  # already closed, or closed just now by its own thread
                connection.sock.shutdown(SHUT_RDWR)


class _Adapter(HTTPAdapter):
    def __init__(self, connections: int) -> None:
        self.live = _Live()
        super().__init__(pool_connections=1, pool_maxsize=connections, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _tracking_pools(self.live)


def _tracking_pools(live: _Live) -> dict[str, type[HTTPConnectionPool]]:
    class Plain(HTTPConnection):
        """Joins the live connections when it connects."""

        def connect(self) -> None:
            super().connect()
            live.add(self)

    class Tls(HTTPSConnection):
        """The same over TLS."""

        def connect(self) -> None:
            super().connect()
            live.add(self)

    plain = type("PlainPool", (HTTPConnectionPool,), {"ConnectionCls": Plain})
    tls = type("TlsPool", (HTTPSConnectionPool,), {"ConnectionCls": Tls})
    return {"http": plain, "https": tls}
