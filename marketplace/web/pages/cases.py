"""What waits for a decision: money held, corrections, rights that lack a fact."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from apiflask import APIBlueprint
from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from marketplace.kernel.actor import Role
from marketplace.kernel.ids import new_id
from marketplace.queries import elder_home, equity, follow_ups
from marketplace.queries.entitlements import rights
from marketplace.queries.hotline import by_name
from marketplace.web import asked
from marketplace.web.at_hand import ports, session
from marketplace.web.auth import allow, current_actor
from marketplace.web.formats import today_here
from marketplace.web.map_shapes import district_names
from marketplace.web.pages.frame import say_refusal, write
from marketplace.web.words.calls import CALL_REASONS
from marketplace.web.words.programmes import amount_words, source_words
from marketplace.web.words.rights import FACTS, PAPERS, cause_word, fact_value, wanted_words
from marketplace.workflows.complain import RingBackRequest, ask_ring_back
from marketplace.workflows.confirm import ResolveRequest, resolve
from marketplace.workflows.mistake import DecideRequest, decide_correction
from marketplace.workflows.policy import Action, scope
from marketplace.workflows.see import see_elder

bp = APIBlueprint("cases", __name__, enable_openapi=False)

_SOON_ENDS = timedelta(days=30)
_PAGE = 25


@bp.get("/cases")
@allow(Role.BUREAU, Role.STREET)
def page() -> str:
    """Show what waits for a decision: money held, corrections, rights without a fact."""
    reach = scope(current_actor(), Action.SEE_STATISTICS)
    today = today_here()
    text = request.args.get("q", "").strip()
    offset = asked.offset()
    found = []
    if text:
        found = by_name(session(), text, scope=scope(current_actor(), Action.SEE_ELDER))
    return render_template(
        "cases.html",
        text=text,
        found=found,
        disputes=equity.disputes(session(), reach),
        corrections=equity.corrections(session(), reach),
        cases=equity.cases(
            session(), reach, on=today, soon=today + _SOON_ENDS, limit=_PAGE, offset=offset
        ),
        complaints=follow_ups.waiting(session(), reach, kind="complaint", limit=12),
        call_reason=CALL_REASONS.get,
        offset=offset,
        page=_PAGE,
        names=district_names(),
        key=new_id(),
    )


@bp.get("/cases/<elder_id>")
@allow(Role.BUREAU, Role.STREET)
def case_page(elder_id: str) -> str:
    """Show one elder's rights on a day: each rule, the fact and both sources, what to bring."""
    on = asked.day("on")
    see_elder(session(), ports(), current_actor(), elder_id)
    return render_template(
        "case.html",
        elder=elder_home.elder(session(), elder_id),
        rights=rights(session(), elder_id, on),
        facts=FACTS,
        fact_value=fact_value,
        wanted_words=wanted_words,
        cause_word=cause_word,
        source_words=source_words,
        amount_words=amount_words,
        papers=PAPERS,
        names=district_names(),
        key=new_id(),
    )


@bp.post("/cases/<elder_id>/ask")
@allow(Role.BUREAU, Role.STREET)
def ask_for(elder_id: str) -> Response:
    """Have the hotline ring for what is missing."""
    papers = [str(PAPERS[p]) for p in request.form.getlist("paper") if p in PAPERS]
    wanted = RingBackRequest(elder_id=elder_id, text="；".join(papers), reason="papers")
    write(ask_ring_back, wanted)
    flash(_("The hotline rings and asks for it."), "ok")
    return redirect(url_for("cases.case_page", elder_id=elder_id))


@bp.post("/cases/correction")
@allow(Role.BUREAU, Role.STREET)
def decide() -> Response:
    """Approve or refuse a caregiver's correction."""
    wanted = DecideRequest(
        correction_id=request.form.get("correction", ""),
        approve=request.form.get("act") == "approve",
        note=request.form.get("note", ""),
    )
    return _decided(
        decide_correction, wanted, _("Decided. What was recorded first stays beside it.")
    )


@bp.post("/cases/dispute")
@allow(Role.BUREAU, Role.STREET)
def decide_dispute() -> Response:
    """Pay a held visit, pay a part of it, or void it."""
    form = request.form
    outcome = form.get("act", "")
    wanted = ResolveRequest(
        work_order_id=form.get("visit", ""),
        outcome=outcome,
        reason=form.get("note", ""),
        minutes=form.get("minutes", type=int) if outcome == "pay_part" else None,
    )
    return _decided(resolve, wanted, _("Decided."))


def _decided(step: Callable[..., object], wanted: object, said: str) -> Response:
    with say_refusal():
        write(step, wanted)
        flash(said, "ok")
    return redirect(url_for("cases.page"))
