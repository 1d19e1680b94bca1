"""`python -m fraud_platform.validator_api --host HOST --port PORT`: one process, until SIGTERM."""

import argparse
import signal
import socket
import sys

import uvicorn

from fraud_platform.adapters.rule_sets import engines
from fraud_platform.errors import ConfigurationError, FraudPlatformError
from fraud_platform.settings import load
from fraud_platform.validator_api.app import create_app

GRACE_SECONDS = 2
"""How long a stop waits for requests under way."""


def main() -> int:
    """Serve until told to stop; the exit code is 0 after a stop, 1 when it could not start."""
    asked = _arguments()
    try:
        settings = load()
        rules = engines(settings)
        listener = _listen(asked.host, asked.port)
    except FraudPlatformError as error:
        print(error, file=sys.stderr)
        return 1
    key = settings.validator_api_key
    app = create_app(rules, api_key=key.get_secret_value() if key else None)
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            loop="uvloop",
            http="httptools",
            ws="none",
            lifespan="off",
            access_log=False,
            log_level="warning",
            server_header=False,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
    )
    # uvicorn raises the signal again after its clean stop; a stop that was asked for is no failure.
    signal.signal(signal.SIGTERM, lambda *_: None)
    signal.signal(signal.SIGINT, lambda *_: None)
    host, port = listener.getsockname()[:2]
    print(f"fraud-validator-api listens on http://{f'[{host}]' if ':' in host else host}:{port}", flush=True)
    server.run(sockets=[listener])
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m fraud_platform.validator_api", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8000, help="0 picks a free one (default: %(default)s)")
    return parser.parse_args()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as error:
        why = getattr(error, "strerror", None) or error
        raise ConfigurationError(f"Cannot listen on {host}:{port}: {why}; choose another --port.") from None


if __name__ == "__main__":
    sys.exit(main())
