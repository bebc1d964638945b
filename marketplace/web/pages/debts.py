"""What vendors owe the districts' banks: seen as receivables, repaid, given up by two persons."""

from __future__ import annotations

from apiflask import APIBlueprint
from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from marketplace.kernel.actor import Role
from marketplace.kernel.ids import new_id
from marketplace.web.asked import fen_of
from marketplace.web.at_hand import session
from marketplace.web.auth import allow, current_actor
from marketplace.web.formats import cny
from marketplace.web.map_shapes import district_names
from marketplace.web.pages.frame import say_refusal, write
from marketplace.workflows import vendor_debts

bp = APIBlueprint("debts", __name__, enable_openapi=False)


@bp.get("/debts")
@allow(Role.BUREAU, Role.AUDITOR)
def page() -> str:
    """Show what vendors owe, the greatest debt first."""
    found = vendor_debts.debts_of(session(), current_actor())
    return render_template(
        "debts.html",
        debts=found,
        total=sum(d.debt_fen for d in found),
        names=district_names(),
        role=current_actor().role,
        key=new_id(),
    )


def _back() -> Response:
    return redirect(url_for(".page"))


@bp.post("/debts/repay")
@allow(Role.BUREAU)
def repay() -> Response:
    """Book what a vendor repaid."""
    form = request.form
    with say_refusal():
        asked = vendor_debts.RepayRequest(
            form.get("vendor", ""),
            form.get("district", ""),
            fen_of(form.get("yuan", ""), field="yuan"),
            form.get("receipt", ""),
        )
        done = write(vendor_debts.repay, asked)
        left = cny(done.debt_fen)
        flash(_("Booked: %(sum)s. Still owed: %(left)s.", sum=cny(done.fen), left=left), "ok")
    return _back()


@bp.post("/debts/propose")
@allow(Role.BUREAU)
def propose() -> Response:
    """Propose to give a debt up; a second person decides."""
    form = request.form
    with say_refusal():
        asked = vendor_debts.WriteOffRequest(
            form.get("vendor", ""),
            form.get("district", ""),
            fen_of(form.get("yuan", ""), field="yuan"),
            form.get("reason", ""),
        )
        write(vendor_debts.propose_write_off, asked)
        flash(_("Proposed. A second person has to agree."), "ok")
    return _back()


@bp.post("/debts/give-up")
@allow(Role.BUREAU)
def give_up() -> Response:
    """Give up what another person proposed."""
    form = request.form
    with say_refusal():
        asked = vendor_debts.WriteOffDecision(form.get("proposal", ""), form.get("reason", ""))
        done = write(vendor_debts.write_off, asked)
        left = cny(done.debt_fen)
        flash(_("Given up: %(sum)s. Still owed: %(left)s.", sum=cny(done.fen), left=left), "ok")
    return _back()
