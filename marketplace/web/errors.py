"""Errors become an answer: a status, a stable code and a sentence; never a stack to a user."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

from apiflask import APIFlask
from flask import Response, current_app, g, jsonify, make_response, render_template, request
from flask_babel import gettext as _
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import DataError, SQLAlchemyError
from werkzeug.exceptions import HTTPException

from marketplace.kernel.db import is_away
from marketplace.kernel.errors import BadInput, DomainError
from marketplace.kernel.log import get_logger
from marketplace.web.at_hand import session
from marketplace.web.words.refusals import error_sentence

STATUS_OF_KIND = {
    "bad_input": 422,
    "forbidden": 403,
    "not_found": 404,
    "conflict": 409,
    "refused": 422,
}
"""Which HTTP status each kind of ``DomainError`` becomes."""

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Problem:
    """What a client is told: RFC 9457 members with ``code``, ``field`` and ``facts`` of ours."""

    status: int
    code: str
    detail: str
    field: str | None = None
    facts: dict[str, Any] | None = None
    error_id: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the members of ``application/problem+json``."""
        members = {
            "type": "about:blank",
            "status": self.status,
            "title": self.code,
            "code": self.code,
            "detail": self.detail,
            "field": self.field,
            "facts": self.facts,
            "error_id": self.error_id,
        }
        return {k: v for k, v in members.items() if v is not None}


def problem_of(error: DomainError) -> Problem:
    """Return what a client is told of a rule's refusal."""
    return Problem(
        status=STATUS_OF_KIND.get(error.kind, 422),
        code=error.code,
        detail=error_sentence(error),
        field=error.field,
        facts=error.facts or None,
    )


def wants_json() -> bool:
    """Return whether the caller is a program: the API, or one that asks for JSON."""
    best = request.accept_mimetypes.best
    return request.path.startswith("/api/") or bool(best and best.endswith("json"))


def answer(problem: Problem) -> Response:
    """Return the problem as JSON to a program, as a page to a person."""
    if wants_json():
        response = jsonify(problem.as_json())
        response.mimetype = "application/problem+json"
    else:
        response = make_response(render_template("error.html", problem=problem))
    response.status_code = problem.status
    return response


def register(app: APIFlask) -> None:
    """Add the handlers for rules' refusals, HTTP errors and faults of ours."""
    app.register_error_handler(DomainError, _refused)
    app.register_error_handler(DataError, _unkept)
    app.register_error_handler(CSRFError, _forged)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(SQLAlchemyError, _database)
    app.register_error_handler(Exception, _fault)
    if hasattr(app, "error_processor"):
        app.error_processor(_api_error)


def _refused(error: DomainError) -> Response:
    return answer(problem_of(error))


def _unkept(error: DataError) -> Response:
    """Answer what the database could not keep: a text too long, a number too large. Nothing was kept."""
    session().rollback()
    _log.warning("value_refused", endpoint=request.endpoint, why=type(error.orig).__name__)
    return answer(problem_of(BadInput()))


def _forged(error: CSRFError) -> Response:
    return answer(
        Problem(
            status=400,
            code="form_token_missing",
            detail=_("This page was open too long. Go back, load it again and send once more."),
        )
    )


def _http(error: HTTPException) -> Response:
    status = error.code or 500
    if error.response is not None and status < 400:
        return make_response(error.response)
    sentences = {
        400: _("The request could not be read. Go back and try again."),
        401: _("Sign in first."),
        403: _("Your role does not open this page."),
        404: _("There is no such page. Look at the address again."),
        405: _("This address does not take that kind of request."),
        413: _("That is too large to send."),
        429: _("Too many tries. Wait five minutes, then try again."),
    }
    names = {401: "sign_in_needed", 403: "not_allowed", 404: "not_found", 429: "too_many_tries"}
    response = answer(
        Problem(
            status=status,
            code=names.get(status, f"http_{status}"),
            detail=sentences.get(status, _("The request could not be answered.")),
        )
    )
    if status == 429:
        response.headers["Retry-After"] = "300"
    return response


def _api_error(error: Any) -> Response:
    """Give APIFlask's own errors (a body that does not fit its schema) the one shape."""
    facts = dict(error.detail) if isinstance(error.detail, dict) else None
    is_input = error.status_code in {400, 422}
    problem = Problem(
        status=error.status_code,
        code="bad_input" if is_input else f"http_{error.status_code}",
        detail=error_sentence(BadInput()) if is_input else str(error.message),
        field=_first_field(facts),
        facts=facts or None,
    )
    return answer(problem)


def _first_field(facts: dict[str, Any] | None) -> str | None:
    """Return the first input at fault: ``{"json": {"quantity": [...]}}`` -> ``quantity``."""
    for place in (facts or {}).values():
        if isinstance(place, dict):
            return next((str(name) for name in place), None)
    return None


def _database(error: SQLAlchemyError) -> Response:
    """Say that the database is away, and what to do; any other fault of it is a fault of ours."""
    if not is_away(error):
        return _fault(error)
    # Who is asking is read from the same database: the page must not ask again.
    g.database_away = error
    _log.error("database_away", endpoint=request.endpoint, kind=type(error).__name__)
    response = answer(
        Problem(
            status=503,
            code="database_away",
            detail=_("We cannot answer right now. Try again in a minute; nothing is done twice."),
        )
    )
    response.headers["Retry-After"] = "30"
    return response


def _fault(error: Exception) -> Response:
    """Log a fault of ours under an id and show only the id."""
    if current_app.testing and current_app.config.get("PROPAGATE_EXCEPTIONS") is not False:
        raise error
    error_id = secrets.token_hex(4)
    _log.error("request_failed", error_id=error_id, endpoint=request.endpoint, exc_info=error)
    return answer(
        Problem(
            status=500,
            code="fault",
            detail=_("Something on our side failed. No money and no voucher was moved."),
            error_id=error_id,
        )
    )
