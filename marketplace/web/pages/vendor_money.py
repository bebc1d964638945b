"""A vendor's money and its fair share: paid, held and why; each order that went elsewhere, and why."""

from __future__ import annotations

from apiflask import APIBlueprint
from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from marketplace.kernel.actor import Role
from marketplace.kernel.clock import Period
from marketplace.kernel.errors import DomainError
from marketplace.kernel.ids import new_id
from marketplace.queries import catalogue, vendor_money
from marketplace.web import asked
from marketplace.web.at_hand import ports, session
from marketplace.web.auth import allow, current_actor
from marketplace.web.formats import today_here
from marketplace.web.map_shapes import district_names
from marketplace.web.pages.frame import say_refusal, write
from marketplace.web.words.market import PASSED_REASONS
from marketplace.web.words.money import HELD_REASONS, STATEMENT_STEPS
from marketplace.web.words.refusals import error_sentence
from marketplace.workflows.correct import ProofRequest, add_proof
from marketplace.workflows.passed_by import fair_share
from marketplace.workflows.policy import Action, scope
from marketplace.workflows.statements import answer_held

bp = APIBlueprint("vendor_money", __name__, enable_openapi=False)

_PAGE = 30


def _vendor() -> str:
    return scope(current_actor(), Action.SEE_STATEMENT).vendor_id or "-"


@bp.get("/vendor/money")
@allow(Role.VENDOR)
def money_page() -> str:
    """Show the running month, what is held and why, what closings left out, and the statements."""
    vendor_id = _vendor()
    return render_template(
        "vendor_money.html",
        month=vendor_money.month_so_far(session(), vendor_id, period=Period.of(today_here())),
        held=vendor_money.held_visits(session(), vendor_id),
        left_out=vendor_money.left_out_of_months(session(), vendor_id),
        statements=vendor_money.statements(session(), vendor_id),
        names=district_names(),
        reasons=HELD_REASONS,
        steps=STATEMENT_STEPS,
        key=new_id(),
    )


@bp.post("/vendor/money/proof")
@allow(Role.VENDOR)
def proof() -> Response:
    """Add what speaks for a held visit."""
    form = request.form
    asked = ProofRequest(
        work_order_id=form.get("visit", ""),
        evidence_id=form.get("evidence", ""),
        method=form.get("method", ""),
        note=form.get("note", "").strip()[:200],
    )
    with say_refusal(_said):
        write(add_proof, asked)
        flash(_("Added. Civil affairs sees it when it decides."), "ok")
    return redirect(url_for(".money_page"))


def _said(refused: DomainError) -> str:
    if refused.field in ("note", "text"):
        return _("Say in a few words what the proof is.")
    return error_sentence(refused)


@bp.post("/vendor/money/answer")
@allow(Role.VENDOR)
def answer() -> Response:
    """Answer why an order that a closing left out should be paid."""
    form = request.form
    with say_refusal(_said):
        answer_held(
            session(),
            ports(),
            current_actor(),
            run_id=form.get("run", ""),
            work_order_id=form.get("visit", ""),
            text=form.get("text", "").strip()[:500],
        )
        flash(_("Sent. The next closing looks at it again."), "ok")
    return redirect(url_for(".money_page"))


@bp.get("/vendor/fair")
@allow(Role.VENDOR)
def fair_page() -> str:
    """Show expected against received, and each order of a day that went elsewhere, with its reason."""
    reason = request.args.get("reason") or None
    offset = asked.offset()
    found = fair_share(session(), current_actor(), day=asked.day(), reason=reason)
    shown = found.passed[offset : offset + _PAGE]
    return render_template(
        "vendor_fair.html",
        fair=found,
        shown=shown,
        services=catalogue.names(session(), {x.service_code for x in shown}, on=found.day),
        reason=reason,
        offset=offset,
        page_size=_PAGE,
        names=district_names(),
        reasons=PASSED_REASONS,
    )
