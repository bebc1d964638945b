"""Paper slips of visits: typed in by one person, read again by a second who sees only the paper."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from apiflask import APIBlueprint
from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from marketplace.kernel.actor import Actor, Role
from marketplace.kernel.clock import instant_of
from marketplace.kernel.errors import DomainError
from marketplace.kernel.ids import new_id
from marketplace.queries import hotline, papers
from marketplace.queries.papers import PaperVisit
from marketplace.web import asked
from marketplace.web.at_hand import ports, session
from marketplace.web.auth import allow, current_actor
from marketplace.web.formats import is_chinese, now
from marketplace.web.pages.frame import write
from marketplace.web.words.refusals import error_sentence
from marketplace.web.words.slips import PAPER_PROBLEMS, PAPER_READ, SIGNERS
from marketplace.web.words.visits import rule_word
from marketplace.workflows.policy import Action, scope
from marketplace.workflows.redeem import WAITS, Redeemed
from marketplace.workflows.redeem_on_paper import PaperEntry, enter_paper
from marketplace.workflows.see import see_work_order

bp = APIBlueprint("paper", __name__, enable_openapi=False)

_DESKS = (Role.HOTLINE, Role.COMMUNITY, Role.STREET)
_PAGE = 40
_LATELY = timedelta(days=14)


@dataclass(frozen=True, slots=True)
class Typed:
    """The form of a slip as it was typed."""

    slip_no: str = ""
    came: tuple[str, ...] = ()
    began: str = ""
    ended: str = ""
    signed_by: str = ""

    @classmethod
    def of_form(cls) -> Typed:
        """Read the form; full-width letters and digits of an input method become plain ones."""
        form = request.form
        return cls(
            slip_no=_plain(form.get("slip_no", "")),
            came=tuple(c for c in form.getlist("caregiver") if c),
            began=_plain(form.get("began", "")),
            ended=_plain(form.get("ended", "")),
            signed_by=form.get("signed_by", ""),
        )

    def entry(self, work_order_id: str, on: date) -> PaperEntry:
        """Return what the workflow asks for; raises ``BadInput`` for what is no time of a day."""
        return PaperEntry(
            work_order_id=work_order_id,
            slip_no=self.slip_no,
            caregiver_ids=list(self.came),
            began_at=_instant(on, self.began, field="began_at"),
            ended_at=_instant(on, self.ended, field="ended_at"),
            signed_by=self.signed_by,
        )


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).strip()


def _instant(on: date, text: str, *, field: str) -> datetime:
    return instant_of(on, asked.second_of(text, field=field))


@bp.get("/paper")
@allow(*_DESKS)
def page() -> str:
    """Find the visit of a slip; show the slips that wait for a second reading and what became of others."""
    actor = current_actor()
    reach = scope(actor, Action.ENTER_PAPER)
    text = request.args.get("q", "").strip()
    on = asked.day("on")
    found: list[PaperVisit] = []
    if text:
        found = papers.of_day(
            session(), reach, elder_ids=_elders(actor, text), work_order_id=text, on=on
        )
    return render_template(
        "paper.html",
        text=text,
        on=on,
        found=found,
        waiting=papers.waiting(session(), reach, limit=_PAGE),
        done=papers.ended(session(), reach, since=now() - _LATELY, limit=_PAGE),
        may_enter=WAITS,
        me_id=actor.user_id,
        read_words=PAPER_READ,
    )


def _elders(actor: Actor, text: str) -> list[str]:
    """Return who matches a telephone number, a name, its first letters or a register number."""
    digits = text.replace("-", "").replace(" ", "")
    if digits.isdecimal() and len(digits) >= 7:
        index = ports().vault.index(digits)
        return [e.id for e in hotline.by_phone(session(), index)]
    reach = scope(actor, Action.SEE_ELDER)
    return [e.id for e in hotline.by_name(session(), text, scope=reach)]


@bp.get("/paper/<work_order_id>")
@allow(*_DESKS)
def slip(work_order_id: str) -> str:
    """Show an empty form for a visit's slip, the same to the first reader and to the second."""
    return _slip(work_order_id, Typed())


def _slip(work_order_id: str, typed: Typed, problem: DomainError | None = None) -> str:
    actor = current_actor()
    see_work_order(session(), actor, work_order_id)
    visit = papers.one(session(), scope(actor, Action.ENTER_PAPER), work_order_id)
    return render_template(
        "paper_slip.html",
        visit=visit,
        people=papers.who_may_have_come(session(), visit),
        typed=typed,
        field=problem.field if problem else None,
        problem=_sentence(problem) if problem else "",
        may_enter=visit.state in WAITS and visit.slip in (None, "first"),
        is_own=visit.first_by == actor.user_id,
        signers=SIGNERS,
        key=new_id(),
    )


def _sentence(problem: DomainError) -> str:
    """Return what would fit in the field, or the sentence of the refusal."""
    if problem.code in ("bad_input", "too_early", "caregiver_cannot_serve"):
        words = PAPER_PROBLEMS.get(problem.code) or PAPER_PROBLEMS.get(problem.field or "")
        return str(words or error_sentence(problem))
    return error_sentence(problem)


@bp.post("/paper/<work_order_id>")
@allow(*_DESKS)
def enter(work_order_id: str) -> Response | str:
    """Keep what one person read on the slip; a refused form keeps what was typed and says why."""
    actor = current_actor()
    typed = Typed.of_form()
    try:
        visit = papers.one(session(), scope(actor, Action.ENTER_PAPER), work_order_id)
        done = write(enter_paper, typed.entry(work_order_id, visit.on))
    except DomainError as refused:
        session().rollback()
        return _slip(work_order_id, typed, refused)
    _say(done)
    return redirect(url_for("paper.page"))


def _joined(words: Iterable[object]) -> str:
    return ("、" if is_chinese() else ", ").join(str(w) for w in words)


def _say(done: Redeemed) -> None:
    """Say what came of a reading."""
    why = done.why.split(",") if done.why else []
    if done.why == "second_person":
        said = _("Kept. A colleague reads the slip again; no money moves until then.")
        flash(said, "ok")
    elif not why:
        said = _(
            "Both read the same. The visit has ended; it is redeemed unless the elder objects."
        )
        flash(said, "ok")
    elif set(why) <= set(PAPER_READ):
        fields = _joined(PAPER_READ[w] for w in why)
        said = _(
            "The two readings differ: %(fields)s. The money stays held and a person looks at the paper.",
            fields=fields,
        )
        flash(said, "wait")
    else:
        rules = _joined(rule_word(w) for w in why)
        said = _(
            "Both read the same, but the money stays held for a person: %(rules)s.", rules=rules
        )
        flash(said, "wait")
