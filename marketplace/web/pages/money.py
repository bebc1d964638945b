"""Any fen walked back to the visit: civil affairs and the auditor."""

from __future__ import annotations

import secrets

from apiflask import APIBlueprint
from flask import flash, redirect, render_template, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from marketplace.kernel.actor import Role
from marketplace.queries import statements
from marketplace.queries import trace as traces
from marketplace.queries.trace import pick_fen
from marketplace.queries.work_page import work_page
from marketplace.web.at_hand import session
from marketplace.web.auth import allow, current_actor
from marketplace.web.map_shapes import district_names
from marketplace.web.words.money import OWN_MONEY, account_word, pay_lines
from marketplace.workflows.policy import Action, scope
from marketplace.workflows.see import see_money

bp = APIBlueprint("money", __name__, enable_openapi=False)


@bp.get("/money")
@allow(Role.BUREAU, Role.AUDITOR)
def money_page() -> str:
    """List the statements and the money taken last: where a walk begins."""
    reach = scope(current_actor(), Action.SEE_MONEY)
    return render_template(
        "money.html",
        statements=statements.statements(session(), reach, limit=60),
        latest=traces.latest_money(session(), reach),
        names=district_names(),
    )


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
        lines=pay_lines(work.shares, {}, own=OWN_MONEY),
        account_word=account_word,
        names=district_names(),
    )


@bp.get("/money/pick")
@allow(Role.BUREAU, Role.AUDITOR)
def pick() -> Response:
    """Pick one fen by lot of all that was redeemed, and walk back from it."""
    reach = scope(current_actor(), Action.SEE_MONEY)
    found = pick_fen(session(), reach, lot=secrets.randbelow(10**9) / 10**9)
    if found is None:
        flash(_("Nothing has been redeemed yet."), "wait")
        return redirect(url_for("money.money_page"))
    return redirect(url_for("money.trace_page", work_order_id=found))
