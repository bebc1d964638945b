"""A month closed: its statements with their next signature, and what was held and why."""

from __future__ import annotations

from apiflask import APIBlueprint
from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from marketplace.kernel.actor import Role
from marketplace.kernel.clock import Period
from marketplace.kernel.money import yuan_from_fen
from marketplace.queries import statements
from marketplace.queries.grant_runs import settlement_runs
from marketplace.web import asked
from marketplace.web.at_hand import ports, session
from marketplace.web.auth import allow, current_actor
from marketplace.web.formats import today_here
from marketplace.web.map_shapes import district_names
from marketplace.web.pages.frame import say_refusal
from marketplace.web.pages.statements import next_step, sign_next
from marketplace.web.sheets import sheet
from marketplace.web.words.money import HELD_REASONS, STEP_WORDS
from marketplace.workflows.policy import Action, scope
from marketplace.workflows.settle import close_month

bp = APIBlueprint("settlement", __name__, enable_openapi=False)

_READERS = (Role.BUREAU, Role.STREET, Role.AUDITOR)


@bp.get("/settlement")
@allow(*_READERS)
def page() -> Response | str:
    """Show a month's statements with their next signature, and what was held and why."""
    reach = scope(current_actor(), Action.SEE_STATEMENT)
    this = Period.of(today_here())
    period = asked.period(this.previous())
    rows = statements.statements(session(), reach, period=str(period))
    held = statements.held_rows(session(), reach, period=str(period))
    names = district_names()
    if request.args.get("format") == "csv":
        return sheet(
            f"statements-{period}",
            [_("Statement"), _("Vendor"), _("District"), _("Lines"), _("Public money (yuan)"),
             _("Paid outside (yuan)"), _("Own money (yuan)"), _("Total (yuan)"), _("Step"), _("Seal")],
            [
                (r.statement_id, r.vendor_name, names.get(r.district_code, r.district_code), r.lines,
                 *(yuan_from_fen(n) for n in (r.payable_fen, r.outside_fen, r.own_fen, r.total_fen)),
                 STEP_WORDS.get(r.step, r.step), r.sha256)
                for r in rows
            ],
        )  # fmt: skip
    return render_template(
        "settlement.html",
        period=period,
        months=[this.previous().previous(), this.previous(), this],
        rows=rows,
        held=held,
        runs=[r for r in settlement_runs(session(), reach) if r.period == str(period)],
        steps=STEP_WORDS,
        next_step=next_step,
        reason_word=lambda code: str(HELD_REASONS.get(code, code)),
        names=district_names(),
        may_close=current_actor().role is Role.BUREAU and today_here() > period.last,
        role=current_actor().role,
    )


@bp.post("/settlement/close")
@allow(Role.BUREAU)
def close() -> Response:
    """Close a month: what matches stands on statements, the rest is held with its reason."""
    period = asked.period(Period.of(today_here()).previous())
    with say_refusal():
        closed = close_month(
            session(),
            ports(),
            current_actor(),
            period=period,
            district_code=current_actor().district_code,
        )
        flash(_("Closed: %(lines)s lines on statements, %(held)s held.",
                lines=sum(c.lines for c in closed), held=sum(c.held for c in closed)), "ok")  # fmt: skip
    return redirect(url_for("settlement.page", month=str(period)))


@bp.post("/settlement/sign")
@allow(Role.BUREAU, Role.STREET)
def sign() -> Response:
    """Sign a statement's next step; the last one pays the vendor."""
    form = request.form
    sign_next(form.get("statement", ""))
    return redirect(url_for("settlement.page", month=form.get("month")))
