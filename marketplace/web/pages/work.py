"""One work order: what it is, who comes, who pays, what happened; and what its reader may do with it."""

from __future__ import annotations

from apiflask import APIBlueprint
from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from marketplace.kernel.actor import Actor, Role
from marketplace.kernel.clock import instant_of
from marketplace.kernel.ids import new_id
from marketplace.orders.states import OPEN, State
from marketplace.queries.work_page import work_page
from marketplace.web.asked import second_of
from marketplace.web.at_hand import session
from marketplace.web.auth import EVERYONE, allow, current_actor
from marketplace.web.formats import now
from marketplace.web.map_shapes import district_names
from marketplace.web.pages.frame import home_of, write
from marketplace.web.pages.ordering import desk_of
from marketplace.web.words.money import OWN_MONEY, pay_lines
from marketplace.web.words.planning import LEFT_OUT
from marketplace.workflows.advise import Substitute, advise_substitutes
from marketplace.workflows.cancel import (
    CancelRequest,
    NoShowRequest,
    cancel,
    cancel_terms,
    report_no_show,
)
from marketplace.workflows.confirm import ConfirmRequest, DisputeRequest, confirm, dispute
from marketplace.workflows.policy import Action
from marketplace.workflows.see import see_work_order
from marketplace.workflows.substitute import SubstituteRequest, substitute

bp = APIBlueprint("work", __name__, enable_openapi=False)

MAY_COMPLAIN = (State.IN_SERVICE, State.DONE, State.CONFIRMED, State.SETTLED, State.NO_SHOW)


@bp.get("/visits/<work_order_id>")
@allow(*EVERYONE)
def page(work_order_id: str) -> str:
    """Show a work order with the fields and the buttons that its reader has."""
    actor = current_actor()
    seen = see_work_order(session(), actor, work_order_id)
    work = work_page(session(), work_order_id)
    may = seen.may
    starts = work.starts_at or instant_of(work.on, work.window_start_s)
    return render_template(
        "work.html",
        desk=desk_of(actor.role) if actor.role is not Role.CAREGIVER else "worker",
        back_url=home_of(actor.role),
        work=work,
        shown=seen.fields,
        names=district_names(),
        lines=pay_lines(
            work.shares, {}, own=None if actor.role in (Role.ELDER, Role.FAMILY) else OWN_MONEY
        ),
        reasons=LEFT_OUT,
        is_open=State(work.state) in OPEN,
        may_cancel=Action.CANCEL in may and State(work.state) in OPEN,
        may_confirm=Action.CONFIRM in may
        and work.state == State.DONE
        and actor.role in (Role.ELDER, Role.FAMILY),
        may_say_no_show=Action.REPORT_NO_SHOW in may
        and work.state == State.ASSIGNED
        and now() > starts,
        cancelling=cancel_terms(starts, now()),
        may_move=Action.RESCHEDULE in may
        and State(work.state) in OPEN
        and actor.role in (Role.ELDER, Role.FAMILY),
        may_complain=Action.COMPLAIN in may
        and work.state in MAY_COMPLAIN
        and actor.role in (Role.ELDER, Role.FAMILY),
        instead=_instead(actor, work_order_id, work.state, may),
        key=new_id(),
    )


def _instead(
    actor: Actor, work_order_id: str, state: str, may: frozenset[Action]
) -> list[Substitute]:
    """Return whom a vendor could send; nobody to other readers and once the visit has begun."""
    if Action.ASSIGN_BY_HAND not in may or state not in (State.ACCEPTED, State.ASSIGNED):
        return []
    return advise_substitutes(session(), actor, work_order_id)


@bp.post("/visits/<work_order_id>/send")
@allow(Role.VENDOR)
def send_somebody(work_order_id: str) -> Response:
    """Send a named caregiver at the time that was proposed."""
    caregiver_id, _at, start = request.form.get("who", "").partition("@")
    write(
        substitute, SubstituteRequest(work_order_id, [caregiver_id], second_of(start, field="who"))
    )
    flash(_("Sent. The elder is told who comes."), "ok")
    return redirect(url_for("work.page", work_order_id=work_order_id))


@bp.post("/visits/<work_order_id>/cancel")
@allow(*EVERYONE)
def cancel_it(work_order_id: str) -> Response:
    """Call the visit off and say what came back."""
    reason = request.form.get("reason", "")[:200]
    done = write(cancel, CancelRequest(work_order_id=work_order_id, reason=reason))
    if done.fee_fen:
        flash(_("Cancelled. It was late, so a fee stays; the vouchers came back."), "wait")
    else:
        flash(_("Cancelled. It costs nothing and the vouchers came back."), "ok")
    return redirect(url_for("work.page", work_order_id=work_order_id))


@bp.post("/visits/<work_order_id>/face")
@allow(Role.ELDER, Role.FAMILY)
def face(work_order_id: str) -> Response:
    """Take one of two faces: good confirms the visit, bad keeps its money and asks a person to look."""
    if request.form.get("face") == "good":
        write(confirm, ConfirmRequest(work_order_id=work_order_id, method="tap"))
        flash(_("Thank you, that is good to hear."), "ok")
    else:
        write(
            dispute,
            DisputeRequest(
                work_order_id=work_order_id, reason=request.form.get("reason") or "not_satisfied"
            ),
        )
        flash(_("Noted. Nothing is paid yet; 12349 rings you within 24 hours."), "wait")
    return redirect(url_for("work.page", work_order_id=work_order_id))


@bp.post("/visits/<work_order_id>/no-show")
@allow(Role.ELDER, Role.FAMILY, Role.HOTLINE, Role.COMMUNITY, Role.VENDOR)
def no_show(work_order_id: str) -> Response:
    """Say that nobody came; another vendor is asked at once."""
    write(report_no_show, NoShowRequest(work_order_id=work_order_id))
    flash(_("Noted. Somebody else is being found now."), "ok")
    return redirect(url_for("work.page", work_order_id=work_order_id))
