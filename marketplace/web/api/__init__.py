"""The JSON API under ``/api/v1``, documented as OpenAPI 3.1 at ``/api/v1/openapi.json``.

Every write takes a client-made ``Idempotency-Key``: the same key gets the first answer, the same key
with other content is refused. Errors are ``application/problem+json`` with a stable ``code``.
"""

from __future__ import annotations

from typing import Any

from apiflask import APIFlask

from marketplace.web.api import (
    days,
    facts,
    orders,
    periods,
    privacy,
    purses,
    redeem,
    rings,
    settlement,
    tokens,
    vendors,
    visits,
)
from marketplace.web.api.frame import KEY_HEADER

PREFIX = "/api/v1/"
PROBLEM = {
    "type": "object",
    "required": ["type", "status", "title", "code", "detail"],
    "properties": {
        "type": {"type": "string"},
        "status": {"type": "integer"},
        "title": {"type": "string"},
        "code": {"type": "string", "description": "stable; the reason's name"},
        "detail": {"type": "string", "description": "a sentence in the reader's language"},
        "field": {"type": "string", "description": "the input at fault"},
        "facts": {"type": "object", "description": "what the rule saw"},
        "error_id": {"type": "string"},
    },
}
_REFUSALS = {
    "400": "The request cannot be read",
    "401": "Nobody is signed in",
    "403": "The role or its scope does not permit this",
    "404": "There is no such thing in your reach",
    "409": "Somebody was first, or the state does not permit it",
    "415": "The body is no JSON",
    "422": "A value is outside what the field takes, or a rule refuses",
    "429": "Too many tries",
}


def register(app: APIFlask) -> None:
    """Add the API to the application."""
    for module in (
        tokens,
        orders,
        visits,
        days,
        periods,
        settlement,
        vendors,
        rings,
        redeem,
        facts,
        privacy,
        purses,
    ):
        app.register_blueprint(module.bp)
    app.security_schemes = {
        "token": {"type": "apiKey", "in": "header", "name": "Authentication-Token"}
    }

    @app.spec_processor
    def _finish(spec: dict[str, Any]) -> dict[str, Any]:
        return finished(spec)


def finished(spec: dict[str, Any]) -> dict[str, Any]:
    """Return the document with the API's paths only, its refusals, keys and credentials."""
    spec["paths"] = {p: v for p, v in spec["paths"].items() if p.startswith(PREFIX)}
    spec.setdefault("components", {}).setdefault("schemas", {})["Problem"] = PROBLEM
    spec["info"]["description"] = __doc__
    for path, methods in spec["paths"].items():
        for method, operation in methods.items():
            if isinstance(operation, dict) and "responses" in operation:
                _finish_operation(path, method, operation)
    return spec


def _finish_operation(path: str, method: str, operation: dict[str, Any]) -> None:
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for status, words in _REFUSALS.items():
        operation["responses"][status] = {"description": words, "content": problem}
    is_sign_in = path == f"{PREFIX}tokens"
    operation["security"] = [] if is_sign_in else [{"token": []}]
    if "requestBody" in operation:
        operation["requestBody"]["required"] = True
    if method == "post" and not is_sign_in and not path.endswith(("/preview", "/rings")):
        operation.setdefault("parameters", []).append(
            {
                "name": KEY_HEADER,
                "in": "header",
                "required": True,
                "schema": {"type": "string", "pattern": "^[\\x21-\\x7e]{8,200}$"},
                "description": "made by the client; the same key gets the first answer",
            }
        )
