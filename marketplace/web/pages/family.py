"""A child far away and the parent who allows it: codes, powers, the month's bill, a word on a visit."""

from __future__ import annotations

from dataclasses import replace

from apiflask import APIBlueprint
from flask import current_app, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_login import current_user
from flask_security.utils import login_user
from werkzeug.wrappers import Response

from marketplace.kernel.actor import Role
from marketplace.kernel.clock import Period
from marketplace.kernel.errors import DomainError, NotAllowed
from marketplace.kernel.ids import new_id
from marketplace.queries import elder_home
from marketplace.queries.bill import bill
from marketplace.web import asked
from marketplace.web.at_hand import ports, session
from marketplace.web.auth import allow, current_actor, public
from marketplace.web.formats import today_here, when
from marketplace.web.pages.frame import form_key, write
from marketplace.web.words.calls import COMPLAINTS
from marketplace.web.words.money import pay_lines
from marketplace.web.words.people import POWERS
from marketplace.web.words.refusals import error_sentence
from marketplace.web.words.visits import CATEGORY_ICONS
from marketplace.workflows.complain import ComplaintRequest, complain
from marketplace.workflows.link import (
    JoinRequest,
    LinkCodeMade,
    LinkCodeRequest,
    PowersRequest,
    join_family,
    make_link_code,
    set_powers,
    use_link_code,
)
from marketplace.workflows.policy import Action
from marketplace.workflows.see import see_elder, see_work_order

bp = APIBlueprint("family", __name__, enable_openapi=False)

MONTHS_BACK = 5


@bp.get("/home/bill")
@allow(Role.ELDER, Role.FAMILY)
def bill_page() -> str:
    """Show one month on one page that prints large; last month until another is asked for."""
    actor = current_actor()
    chosen = request.args.get("of") or next(iter(sorted(actor.elder_ids)), "")
    if chosen not in actor.elder_ids:
        raise NotAllowed(action=Action.SEE_MONEY.value, role=actor.role.value)
    seen = see_elder(session(), ports(), actor, chosen)
    if Action.SEE_MONEY not in seen.may:
        raise NotAllowed(action=Action.SEE_MONEY.value, needs_power="see_money")
    this = Period.of(today_here())
    period = asked.period(this.previous())
    months = [this]
    while len(months) <= MONTHS_BACK:
        months.append(months[-1].previous())
    month = bill(session(), chosen, period=period)
    return render_template(
        "bill.html",
        desk="elder",
        back_url=url_for("elder.home", of=chosen),
        elder=elder_home.elder(session(), chosen),
        own=actor.role is Role.ELDER,
        bill=month,
        months=months,
        payers=[replace(line, note="") for line in pay_lines(month.payers, {})],
        icons=CATEGORY_ICONS,
        balances=elder_home.balances(session(), chosen, day=min(period.last, today_here())),
    )


@bp.get("/home/family")
@allow(Role.ELDER)
def people() -> str:
    """Show who may look in and what each may do."""
    return _people(None)


def _people(made: LinkCodeMade | None) -> str:
    actor = current_actor()
    elder_id = next(iter(sorted(actor.elder_ids)), "")
    return render_template(
        "family.html",
        desk="elder",
        back_url=url_for("elder.home"),
        links=elder_home.family_links(session(), elder_id),
        powers=POWERS,
        made=made,
        key=new_id(),
    )


@bp.post("/home/family")
@allow(Role.ELDER)
def make_code() -> str:
    """Make a code and show it once: the answer is a page that nothing keeps."""
    actor = current_actor()
    wanted = LinkCodeRequest(
        elder_id=next(iter(sorted(actor.elder_ids)), ""), powers=request.form.getlist("power")
    )
    made = make_link_code(session(), ports(), actor, request=wanted)
    return _people(made)


@bp.post("/home/family/<link_id>")
@allow(Role.ELDER)
def change(link_id: str) -> Response:
    """Change what a relative may do, or end it."""
    ends = request.form.get("act") == "end"
    wanted = PowersRequest(link_id=link_id, powers=[] if ends else request.form.getlist("power"))
    done = write(set_powers, wanted)
    flash(
        _("Changed. It holds from now on.") if done.powers else _("Ended. They see nothing more."),
        "ok",
    )
    return redirect(url_for("family.people"))


@bp.get("/link")
@allow(Role.FAMILY)
def link_page() -> str:
    """Ask a signed-in relative for a parent's code."""
    return render_template(
        "link.html", desk="elder", back_url=url_for("elder.home"), key=new_id(), stranger=False
    )


@bp.post("/link")
@allow(Role.FAMILY)
def link() -> Response | str:
    """Link one more parent to this account."""
    form = request.form
    try:
        linked = use_link_code(
            session(),
            ports(),
            current_actor(),
            key=form_key(),
            code=form.get("code", ""),
            name=current_user.display_name,
            relation=form.get("relation", "").strip(),
        )
    except DomainError as problem:
        session().rollback()
        return _asked_again(problem, stranger=False)
    flash(_("Linked. You see what your parent allowed."), "ok")
    return redirect(url_for("elder.home", of=linked.elder_id))


@bp.get("/join")
@public
def join_page() -> str:
    """Ask a relative without an account for a parent's code and how they want to sign in."""
    return render_template(
        "link.html", desk="elder", back_url="/sign-in", key=new_id(), stranger=True
    )


@bp.post("/join")
@public
def join() -> Response | str:
    """Make an account for whoever holds a good code, link it and sign it in."""
    form = request.form
    wanted = JoinRequest(
        name=form.get("name", "").strip(),
        relation=form.get("relation", "").strip(),
        username=form.get("username", "").strip().lower(),
    )
    try:
        joined = join_family(
            session(),
            ports(),
            code=form.get("code", ""),
            password=form.get("password", ""),
            request=wanted,
        )
    except DomainError as problem:
        session().rollback()
        return _asked_again(problem, stranger=True)
    account = current_app.extensions["accounts"].find_user(username=wanted.username)
    login_user(account, authn_via=["password"])
    current_app.extensions["accounts"].commit()
    flash(_("Linked. You see what your parent allowed."), "ok")
    return redirect(url_for("elder.home", of=joined.elder_id))


def _asked_again(problem: DomainError, *, stranger: bool) -> str:
    return render_template(
        "link.html",
        desk="elder",
        back_url="/sign-in" if stranger else url_for("elder.home"),
        key=new_id(),
        stranger=stranger,
        problem=error_sentence(problem),
        field=problem.field,
    )


@bp.post("/visits/<work_order_id>/complain")
@allow(Role.ELDER, Role.FAMILY)
def complain_of(work_order_id: str) -> Response:
    """Take a complaint of a visit in two taps: about what, send."""
    work = see_visit(work_order_id)
    wanted = ComplaintRequest(
        elder_id=work,
        category=request.form.get("category", ""),
        text=request.form.get("text", "").strip()[:400],
        work_order_id=work_order_id,
    )
    done = write(complain, wanted)
    said = _("Taken. 12349 rings you %(when)s at the latest.", when=when(done.contact_by))
    flash(said, "wait")
    return redirect(url_for("work.page", work_order_id=work_order_id))


def see_visit(work_order_id: str) -> str:
    """Return whose visit it is, for a reader who may see it."""
    see_work_order(session(), current_actor(), work_order_id)
    return elder_home.elder_of(session(), work_order_id)


@bp.app_context_processor
def _complaints() -> dict[str, object]:
    return {"complaint_words": COMPLAINTS}
