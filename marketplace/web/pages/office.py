"""Civil affairs at the desk: grants, programmes, cases, settlement, who is left behind, exports."""

from __future__ import annotations

import csv
import io
import secrets
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

from apiflask import APIBlueprint
from flask import current_app, flash, redirect, render_template, request, url_for
from flask.wrappers import Response
from flask_babel import gettext as _

from marketplace.kernel.actor import Role
from marketplace.kernel.clock import Period
from marketplace.kernel.errors import BadInput, DomainError
from marketplace.kernel.ids import new_id
from marketplace.kernel.money import yuan_from_fen
from marketplace.queries import elder_home, equity, follow_ups, programmes, statements
from marketplace.queries.entitlements import rights
from marketplace.queries.grant_runs import grant_lines, settlement_runs
from marketplace.queries.hotline import by_name
from marketplace.queries.trace import pick_fen
from marketplace.vouchers.trial import Moved
from marketplace.web.asked import day_of, period_of
from marketplace.web.asked import offset as asked_offset
from marketplace.web.auth import allow, current_actor
from marketplace.web.formats import now, today_here
from marketplace.web.map_shapes import district_names
from marketplace.web.pages.frame import say_refusal, session
from marketplace.web.pages.statements import next_step
from marketplace.web.words.calls import CALL_REASONS
from marketplace.web.words.money import HELD_REASONS, STEP_WORDS
from marketplace.web.words.programmes import (
    amount_words,
    condition_words,
    difference_words,
    source_words,
    value_words,
)
from marketplace.web.words.refusals import error_sentence
from marketplace.web.words.rights import FACTS, PAPERS, cause_word, fact_value, wanted_words
from marketplace.workflows.complain import RingBackRequest, ask_ring_back
from marketplace.workflows.confirm import ResolveRequest, resolve
from marketplace.workflows.coverage import coverage
from marketplace.workflows.grants import GrantPreview, preview_grants, release_grants
from marketplace.workflows.mistake import DecideRequest, decide_correction
from marketplace.workflows.policy import Action, scope
from marketplace.workflows.programmes import (
    ProposeChange,
    ReleaseChange,
    TriedChange,
    TryChange,
    WithdrawChange,
    propose_change,
    release_change,
    try_change,
    withdraw_change,
)
from marketplace.workflows.see import see_elder
from marketplace.workflows.settle import close_month
from marketplace.workflows.statements import sign_statement

bp = APIBlueprint("office", __name__, enable_openapi=False)

SOON_ENDS = timedelta(days=30)
_PAGE = 25
_READERS = (Role.BUREAU, Role.STREET, Role.AUDITOR)


def asked_period(default: Period) -> Period:
    """Return the month that the address or the form asks for."""
    text = request.values.get("month", "")
    if not text:
        return default
    return period_of(text, field="month")


def _ports() -> Any:
    return current_app.extensions["ports"]


def _key() -> str:
    return request.form.get("key", "")


_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""How a cell begins that a spreadsheet would compute."""


def sheet(name: str, head: Sequence[str], rows: Iterable[Sequence[object]]) -> Response:
    """Return a table as a CSV file that a spreadsheet opens, its cells never formulas."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(head)
    for row in rows:
        cells = ["" if cell is None else str(cell) for cell in row]
        writer.writerow(
            [f"'{c}" if c.startswith(_FORMULA) and not _is_number(c) else c for c in cells]
        )
    answer = current_app.response_class("\ufeff" + out.getvalue(), mimetype="text/csv")
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    return answer


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


# ---------------------------------------------------------------- grants


@bp.get("/grants")
@allow(Role.BUREAU, Role.AUDITOR)
def grants_page() -> str:
    """Show each district's grants of a month: previewed, released, and by whom."""
    return _grants(asked_period(Period.of(today_here())), None)


def _grants(period: Period, preview: GrantPreview | None) -> str:
    reach = scope(current_actor(), Action.SEE_MONEY)
    this = Period.of(today_here())
    return render_template(
        "grants.html",
        period=period,
        months=[this.previous(), this, this.next()],
        lines=grant_lines(session(), reach, period=str(period)),
        budgets=equity.budgets(session(), reach, year=period.year),
        preview=preview,
        names=district_names(),
        me_id=current_actor().user_id,
        may=current_actor().role is Role.BUREAU,
    )


@bp.post("/grants/preview")
@allow(Role.BUREAU)
def preview() -> str:
    """Count what a month's grants of a district would be; nothing is granted."""
    period = asked_period(Period.of(today_here()))
    seen = preview_grants(
        session(),
        _ports(),
        current_actor(),
        period=period,
        district_code=request.form.get("district", ""),
    )
    return _grants(period, seen)


@bp.post("/grants/release")
@allow(Role.BUREAU)
def release() -> Response:
    """Release what another person previewed."""
    month = request.form.get("month")
    with say_refusal():
        done = release_grants(
            session(), _ports(), current_actor(), run_id=request.form.get("run", "")
        )
        flash(_("Released: %(num)s grants.", num=done.granted), "ok")
    return redirect(url_for("office.grants_page", month=month))  # type: ignore[return-value]


# ---------------------------------------------------------------- programmes


@bp.get("/programmes")
@allow(Role.BUREAU, Role.AUDITOR)
def programmes_page() -> str:
    """Show the programmes in force, the changes that wait, and take a new version to be tried."""
    code = request.args.get("change", "")
    text = programmes.programme_file(session(), code) if code else ""
    return _programmes(None, text, None)


def _programmes(tried: TriedChange | None, text: str, problem: str | None) -> str:
    lines = programmes.programmes(session(), today_here())
    units = {line.code: line.unit for line in lines}
    return render_template(
        "programmes.html",
        lines=lines,
        unit=units.get(tried.programme_code, "") if tried else "",
        difference_words=difference_words,
        changes=programmes.programme_changes(session()),
        tried=tried,
        text=text,
        problem=problem,
        me_id=current_actor().user_id,
        may=current_actor().role is Role.BUREAU,
        names=district_names(),
        key=new_id(),
    )


@bp.get("/programmes/<code>")
@allow(Role.BUREAU, Role.AUDITOR)
def programme_page(code: str) -> str:
    """Show one programme: every version, its conditions and amounts, each with its source."""
    return render_template(
        "programme.html",
        programme=programmes.programme(session(), code),
        file=programmes.programme_file(session(), code),
        may=current_actor().role is Role.BUREAU,
        condition_words=condition_words,
        value_words=value_words,
        source_words=source_words,
        names=district_names(),
    )


@bp.post("/programmes")
@allow(Role.BUREAU)
def change_programme() -> Response | str:
    """Try a new version on last month's orders, list who gains or loses by it, or propose it."""
    text = request.form.get("text", "")
    actor = current_actor()
    try:
        if request.form.get("act") == "propose":
            wanted = ProposeChange(text, request.form.get("reason", ""), _month())
            propose_change(session(), _ports(), actor, key=_key(), request=wanted)
            flash(_("Proposed. A second person releases it."), "ok")
            return redirect(url_for("office.programmes_page"))  # type: ignore[return-value]
        if request.form.get("act") == "people":
            return _people(text)
        tried = try_change(session(), _ports(), actor, request=TryChange(text, _month()))
    except DomainError as problem:
        session().rollback()
        return _programmes(None, text, error_sentence(problem))
    return _programmes(tried, text, None)


def _month() -> str | None:
    """Return the month on which a file is to be tried; ``None`` for the last one."""
    return request.form.get("period") or None


def _people(text: str) -> Response:
    """Give everybody who gains or loses by a file; that the list was taken is recorded."""
    moved: list[Moved] = []
    wanted = TryChange(text, _month())
    tried = try_change(session(), _ports(), current_actor(), request=wanted, each=moved.append)
    names = district_names()
    head = [
        _("Elder"), _("District"), _("Rights before"), _("Rights after"),
        _("Own money before"), _("Own money after"),
    ]  # fmt: skip
    rows = [
        (m.elder_id, names.get(m.district_code, m.district_code), m.rights_before, m.rights_after,
         yuan_from_fen(m.own_before_fen), yuan_from_fen(m.own_after_fen))
        for m in moved
    ]  # fmt: skip
    return sheet(f"{tried.programme_code}-{tried.valid_from}", head, rows)


@bp.get("/changes/<change_id>")
@allow(Role.BUREAU, Role.AUDITOR)
def change_page(change_id: str) -> str:
    """Show a proposed change with its trial."""
    change = programmes.programme_change(session(), change_id)
    lines = programmes.programmes(session(), today_here())
    return render_template(
        "programme_change.html",
        change=change,
        unit=next((p.unit for p in lines if p.code == change.line.programme_code), ""),
        difference_words=difference_words,
        me_id=current_actor().user_id,
        may=current_actor().role is Role.BUREAU,
        names=district_names(),
        key=new_id(),
    )


@bp.post("/changes/<change_id>")
@allow(Role.BUREAU)
def decide_change(change_id: str) -> Response:
    """Release a change as the second person, or withdraw it."""
    with say_refusal():
        if request.form.get("act") == "release":
            wanted = ReleaseChange(change_id)
            release_change(session(), _ports(), current_actor(), key=_key(), request=wanted)
            flash(_("Released. It holds from its date on."), "ok")
        else:
            dropped = WithdrawChange(change_id, request.form.get("reason", "").strip())
            withdraw_change(session(), _ports(), current_actor(), key=_key(), request=dropped)
            flash(_("Withdrawn. Nothing changes."), "ok")
    return redirect(url_for("office.change_page", change_id=change_id))  # type: ignore[return-value]


# ---------------------------------------------------------------- cases


@bp.get("/cases")
@allow(Role.BUREAU, Role.STREET)
def cases_page() -> str:
    """Show what waits for a decision: money held, corrections, rights without a fact."""
    reach = scope(current_actor(), Action.SEE_STATISTICS)
    today = today_here()
    text = request.args.get("q", "").strip()
    offset = asked_offset()
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
            session(), reach, on=today, soon=today + SOON_ENDS, limit=_PAGE, offset=offset
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
    text = request.args.get("on", "")
    on = day_of(text, field="on") if text else today_here()
    see_elder(session(), _ports(), current_actor(), elder_id)
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
    ask_ring_back(session(), _ports(), current_actor(), key=_key(), request=wanted)
    flash(_("The hotline rings and asks for it."), "ok")
    return redirect(url_for("office.case_page", elder_id=elder_id))  # type: ignore[return-value]


@bp.post("/cases/correction")
@allow(Role.BUREAU, Role.STREET)
def decide() -> Response:
    """Approve or refuse a caregiver's correction."""
    wanted = DecideRequest(
        correction_id=request.form.get("correction", ""),
        approve=request.form.get("act") == "approve",
        note=request.form.get("note", ""),
    )
    return _done(
        lambda: decide_correction(session(), _ports(), current_actor(), key=_key(), request=wanted),
        _("Decided. What was recorded first stays beside it."),
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
    return _done(
        lambda: resolve(session(), _ports(), current_actor(), key=_key(), request=wanted),
        _("Decided."),
    )


def _done(step: Any, said: str) -> Response:
    with say_refusal():
        step()
        flash(said, "ok")
    return redirect(url_for("office.cases_page"))  # type: ignore[return-value]


# ---------------------------------------------------------------- settlement


@bp.get("/settlement")
@allow(*_READERS)
def settlement_page() -> Response | str:
    """Show a month's statements with their next signature, and what was held and why."""
    reach = scope(current_actor(), Action.SEE_STATEMENT)
    this = Period.of(today_here())
    period = asked_period(this.previous())
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
    period = asked_period(Period.of(today_here()).previous())
    with say_refusal():
        closed = close_month(
            session(),
            _ports(),
            current_actor(),
            period=period,
            district_code=current_actor().district_code,
        )
        flash(_("Closed: %(lines)s lines on statements, %(held)s held.",
                lines=sum(c.lines for c in closed), held=sum(c.held for c in closed)), "ok")  # fmt: skip
    return redirect(url_for("office.settlement_page", month=str(period)))  # type: ignore[return-value]


@bp.post("/settlement/sign")
@allow(Role.BUREAU, Role.STREET)
def sign() -> Response:
    """Sign a statement's next step; the last one pays the vendor."""
    form = request.form
    with say_refusal():
        signed = sign_statement(
            session(),
            _ports(),
            current_actor(),
            statement_id=form.get("statement", ""),
            step=form.get("step", ""),
        )
        flash(str(STEP_WORDS[signed.step]), "ok")
    return redirect(url_for("office.settlement_page", month=form.get("month")))  # type: ignore[return-value]


# ---------------------------------------------------------------- who is left behind


@bp.get("/fairness")
@allow(*_READERS)
def fairness_page() -> Response | str:
    """Show who lies outside the circle, waits longest, was never served, and how the vendors do."""
    reach = scope(current_actor(), Action.SEE_STATISTICS)
    period = asked_period(Period.of(today_here()))
    circle = coverage(session(), current_actor())
    league = equity.league(session(), reach, period=period)
    never = equity.never_served(session(), reach, period=period)
    if (asked := request.args.get("format")) is not None:
        return _fairness_sheet(asked, period, circle, league, never)
    sees_names = current_actor().role is not Role.AUDITOR
    return render_template(
        "fairness.html",
        period=period,
        circle=circle,
        league=league,
        never=never,
        oldest=equity.never_served_elders(session(), reach, period=period) if sees_names else [],
        waits=equity.waits_longest(session(), reach),
        budgets=equity.budgets(session(), reach, year=period.year),
        sees_names=sees_names,
        names=district_names(),
        today=today_here(),
        moment=now(),
    )


def _fairness_sheet(
    asked: str, period: Period, circle: Any, league: Sequence[Any], never: Sequence[Any]
) -> Response:
    """Return one of the page's tables as a file; none carries a person."""
    names = district_names()
    if asked == "league":
        return sheet(
            f"league-{period}",
            [_("Vendor"), _("Orders"), _("Finished"), _("On time"), _("Satisfied"),
             _("Declined or let lapse"), _("Did not come"), _("Credit")],
            [
                (v.name, v.orders, v.finished, v.on_time, v.satisfied, v.declined, v.no_shows, v.credit)
                for v in league
            ],
        )  # fmt: skip
    if asked == "circle":
        return sheet(
            "circle",
            [_("District code"), _("District"), _("Elders"), _("Inside")],
            [
                (d.district_code, names.get(d.district_code), d.elders, d.inside)
                for d in circle.districts
            ],
        )
    if asked == "never":
        return sheet(
            f"never-served-{period}",
            [_("District code"), _("District"), _("Entitled"), _("Never served")],
            [(n.district_code, names.get(n.district_code), n.entitled, n.never) for n in never],
        )
    raise BadInput(field="format", value=asked, expected=["league", "circle", "never"])


@bp.get("/money/pick")
@allow(Role.BUREAU, Role.AUDITOR)
def pick_any() -> Response:
    """Pick one fen by lot of all that was redeemed, and walk back from it."""
    reach = scope(current_actor(), Action.SEE_MONEY)
    found = pick_fen(session(), reach, lot=secrets.randbelow(10**9) / 10**9)
    if found is None:
        flash(_("Nothing has been redeemed yet."), "wait")
        return redirect(url_for("money.money_page"))  # type: ignore[return-value]
    return redirect(url_for("money.trace_page", work_order_id=found))  # type: ignore[return-value]
