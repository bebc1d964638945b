"""Statements, and any fen walked back to the visit: civil affairs and the auditor."""

from __future__ import annotations

from apiflask import APIBlueprint
from flask import current_app, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from marketplace.kernel.actor import Role
from marketplace.queries import trace as traces
from marketplace.queries.work_page import work_page
from marketplace.web import asked
from marketplace.web.auth import allow, current_actor
from marketplace.web.map_shapes import district_names
from marketplace.web.pages.frame import say_refusal, session
from marketplace.web.words import account_word, pay_lines
from marketplace.workflows.policy import Action, scope
from marketplace.workflows.sampling import record_check, sample_of
from marketplace.workflows.see import see_money

bp = APIBlueprint("money", __name__, enable_openapi=False)


@bp.get("/money")
@allow(Role.BUREAU, Role.AUDITOR)
def money_page() -> str:
    """List the statements and the money taken last: where a walk begins."""
    reach = scope(current_actor(), Action.SEE_MONEY)
    return render_template(
        "money.html",
        statements=traces.statements(session(), reach),
        latest=traces.latest_money(session(), reach),
        names=district_names(),
    )


@bp.get("/money/<statement_id>")
@allow(Role.BUREAU, Role.AUDITOR)
def statement_page(statement_id: str) -> str:
    """Show a statement's lines, each a way to its visit."""
    reach = scope(current_actor(), Action.SEE_MONEY)
    offset = asked.offset()
    lines = traces.statement_lines(session(), reach, statement_id, offset=offset)
    known = traces.statement(session(), reach, statement_id)
    return render_template(
        "statement.html",
        statement=known,
        sample=sample_of(session(), statement_id) if known is not None else [],
        may_check=current_actor().role is Role.BUREAU,
        lines=lines,
        offset=offset,
        page=traces.PAGE,
        names=district_names(),
    )


@bp.post("/money/<statement_id>/sample")
@allow(Role.BUREAU)
def check_sample(statement_id: str) -> Response:
    """Write down what the county found of one sampled visit."""
    form = request.form
    with say_refusal():
        record_check(
            session(),
            current_app.extensions["ports"],
            current_actor(),
            statement_id=statement_id,
            number=form.get("number", 0, type=int),
            way=form.get("way", ""),
            outcome=form.get("outcome", ""),
            note=form.get("note", ""),
        )
    return redirect(url_for("money.statement_page", statement_id=statement_id))  # type: ignore[return-value]


@bp.get("/trace/<work_order_id>")
@allow(Role.BUREAU, Role.AUDITOR)
def trace_page(work_order_id: str) -> str:
    """Walk a work order's money back: line, split, ledger, visit; what was checked again stands beside."""
    seen = see_money(session(), current_actor(), work_order_id)
    work = work_page(session(), work_order_id)
    return render_template(
        "trace.html",
        work=work,
        shown=seen.fields,
        walk=traces.trace(session(), work_order_id),
        lines=pay_lines(work.shares, {}),
        account_word=account_word,
        names=district_names(),
    )
