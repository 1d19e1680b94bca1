"""The application: routes over pure judging."""

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec
from fastapi import Depends, FastAPI, Request, Response
from fastapi.responses import FileResponse
from starlette.exceptions import HTTPException

from fraud_platform import __version__
from fraud_platform.core.outcome import Rejected
from fraud_platform.core.questions import MAX_QUESTION_BYTES
from fraud_platform.rules.engine import Engine
from fraud_platform.validator_api import metrics as measuring
from fraud_platform.validator_api import openapi
from fraud_platform.validator_api.guard import Bearer, Refused, Watch, http_error, json_response, read_body
from fraud_platform.validator_api.judging import judge_batch, judge_one
from fraud_platform.validator_api.wire import ActiveRules, Health

MAX_BATCH_BYTES = 8 * 1024 * 1024
"""Longest body of `POST /validate/batch`: 1,000 items of 8 KB on average."""

STATIC = Path(__file__).parent / "static"
_ASSETS = {"docs.css": "text/css", "docs.js": "text/javascript"}
# The page runs its own two files and nothing else.
_PAGE_POLICY = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'"
}


Rules = Callable[[], Engine]


def create_app(rules: Rules, *, api_key: str | None = None) -> FastAPI:
    """The service; `api_key` None leaves it open.

    `rules` gives the engine to judge by, at once. It is asked once for each request, so that all items of a batch
    are judged by one version, and may answer with another rule set from one request to the next.
    """
    app = FastAPI(
        title="fraud-validator-api",
        version=__version__,
        description=openapi.ABOUT,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        exception_handlers={HTTPException: http_error},
    )
    metrics = measuring.Metrics()
    keyed = [Depends(Bearer(api_key))]
    _add_judging(app, rules, metrics, keyed)
    _add_operations(app, rules, metrics, keyed)
    _add_docs(app)
    openapi.describe(app, keyed=api_key is not None)
    routes = frozenset(str(getattr(route, "path", "")) for route in app.routes)
    app.add_middleware(Watch, metrics=metrics, routes=routes)
    return app


def _add_judging(app: FastAPI, rules: Rules, metrics: measuring.Metrics, keyed: list[Any]) -> None:
    @app.post("/validate", dependencies=keyed, **openapi.VALIDATE)
    async def validate(request: Request) -> Response:
        reply = judge_one(await read_body(request, MAX_QUESTION_BYTES), rules())
        if isinstance(reply, Rejected):
            metrics.rejected(reply.error_type)
            raise Refused.because(reply)
        metrics.results([reply])
        return json_response(reply)

    @app.post("/validate/batch", dependencies=keyed, **openapi.VALIDATE_BATCH)
    async def validate_batch(request: Request) -> Response:
        reply = judge_batch(await read_body(request, MAX_BATCH_BYTES), rules())
        if isinstance(reply, Rejected):
            metrics.rejected(reply.error_type)
            raise Refused.because(reply)
        metrics.results(reply.results)
        return json_response(reply)

    @app.get("/rules", dependencies=keyed, **openapi.RULES)
    async def read_rules() -> Response:
        return Response(_told(rules()), media_type="application/json")


@lru_cache(maxsize=1)
def _told(engine: Engine) -> bytes:
    """Kept, since long lists take long to write out, and requests wait meanwhile."""
    return msgspec.json.encode(ActiveRules.of(engine.rule_set))


def _add_operations(app: FastAPI, rules: Rules, metrics: measuring.Metrics, keyed: list[Any]) -> None:
    @app.get("/healthz", **openapi.HEALTHZ)
    async def healthz() -> Response:
        return json_response(Health("alive", rules().rule_set.version))

    @app.get("/readyz", **openapi.READYZ)
    async def readyz() -> Response:
        return json_response(Health("ready", rules().rule_set.version))

    @app.get("/metrics", dependencies=keyed, **openapi.METRICS)
    async def read_metrics() -> Response:
        return Response(metrics.text(), media_type=measuring.CONTENT_TYPE)


def _add_docs(app: FastAPI) -> None:
    @app.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        return FileResponse(STATIC / "docs.html", media_type="text/html", headers=_PAGE_POLICY)

    @app.get("/docs/{name}", include_in_schema=False)
    async def docs_asset(name: str) -> Response:
        if name not in _ASSETS:
            raise HTTPException(404, "Not Found")
        return FileResponse(STATIC / name, media_type=_ASSETS[name])
