"""Programmes as data: read, tried on last month's orders, changed by two persons."""

from __future__ import annotations

from apiflask import APIBlueprint
from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from marketplace.kernel.actor import Role
from marketplace.kernel.errors import DomainError
from marketplace.kernel.ids import new_id
from marketplace.kernel.money import yuan_from_fen
from marketplace.queries import programmes
from marketplace.vouchers.trial import Moved
from marketplace.web.at_hand import ports, session
from marketplace.web.auth import allow, current_actor
from marketplace.web.formats import today_here
from marketplace.web.map_shapes import district_names
from marketplace.web.pages.frame import say_refusal, write
from marketplace.web.sheets import sheet
from marketplace.web.words.programmes import (
    condition_words,
    difference_words,
    source_words,
    value_words,
)
from marketplace.web.words.refusals import error_sentence
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

bp = APIBlueprint("programmes", __name__, enable_openapi=False)


@bp.get("/programmes")
@allow(Role.BUREAU, Role.AUDITOR)
def page() -> str:
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
            write(propose_change, wanted)
            flash(_("Proposed. A second person releases it."), "ok")
            return redirect(url_for("programmes.page"))
        if request.form.get("act") == "people":
            return _people(text)
        tried = try_change(session(), ports(), actor, request=TryChange(text, _month()))
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
    tried = try_change(session(), ports(), current_actor(), request=wanted, each=moved.append)
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
            write(release_change, wanted)
            flash(_("Released. It holds from its date on."), "ok")
        else:
            dropped = WithdrawChange(change_id, request.form.get("reason", "").strip())
            write(withdraw_change, dropped)
            flash(_("Withdrawn. Nothing changes."), "ok")
    return redirect(url_for("programmes.change_page", change_id=change_id))
