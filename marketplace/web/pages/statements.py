"""A statement: its sums and lines, who signs next, and its files. Vendor, street, county and auditor."""

from __future__ import annotations

from apiflask import APIBlueprint
from flask import current_app, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from marketplace.kernel.actor import Role
from marketplace.kernel.errors import BadInput
from marketplace.queries import statements, trace
from marketplace.settlement import export
from marketplace.settlement.rules import yuan_in_words
from marketplace.web import asked
from marketplace.web.at_hand import ports, session
from marketplace.web.auth import allow, current_actor
from marketplace.web.formats import is_chinese
from marketplace.web.map_shapes import district_names
from marketplace.web.pages.frame import say_refusal
from marketplace.web.words.money import LINE_KINDS, STEP_WORDS
from marketplace.workflows.sampling import record_check, sample_of
from marketplace.workflows.statements import see_statement, sign_statement, take_statement

bp = APIBlueprint("statements", __name__, enable_openapi=False)

_READERS = (Role.VENDOR, Role.STREET, Role.BUREAU, Role.AUDITOR)
_NEXT = {
    "issued": (Role.VENDOR, "vendor_confirmed"),
    "vendor_confirmed": (Role.STREET, "street_checked"),
    "street_checked": (Role.BUREAU, "county_approved"),
    "county_approved": (Role.BUREAU, "released"),
}
"""A statement's step -> who signs next, and as what."""

_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "html": "text/html; charset=utf-8",
    "pdf": "application/pdf",
}
_MOST_PRINTED = 2_000
"""Lines that are set as PDF while somebody waits; more are printed from the sheet by a browser."""


def next_step(step: str) -> tuple[Role, str] | None:
    """Return who signs a statement next and as what, ``None`` once it is released."""
    return _NEXT.get(step)


@bp.get("/statements/<statement_id>")
@allow(*_READERS)
def page(statement_id: str) -> str:
    """Show a statement: what it adds up to and for whom, its lines, signatures, files and sample."""
    actor = current_actor()
    for_vendor = see_statement(session(), actor, statement_id)
    offset = asked.offset()
    view = statements.statement(session(), statement_id, for_vendor=for_vendor)
    lines = trace.statement_lines(session(), statement_id, offset=offset)
    payers = statements.payers_for_vendor if for_vendor else dict
    # A lot known to the vendor would tell it which visits to mend.
    drawn = [] if for_vendor else sample_of(session(), statement_id)
    return render_template(
        "statement.html",
        statement=view.row,
        view=view,
        words=yuan_in_words(abs(view.settled.paid_fen)) if is_chinese() else "",
        sample=drawn,
        may_check=actor.role is Role.BUREAU,
        is_own_approval=_approved_by(view) == actor.user_id,
        line_page="money.trace_page" if actor.role in (Role.BUREAU, Role.AUDITOR) else "work.page",
        lines=[(line, payers(line.by_programme)) for line in lines],
        kinds=LINE_KINDS,
        steps=STEP_WORDS,
        order=list(_NEXT.values()),
        next_step=_next_here(view, actor.role),
        role=actor.role,
        offset=offset,
        page=trace.PAGE,
        names=district_names(),
    )


def _approved_by(view: statements.StatementView) -> str | None:
    """Return who approved a statement that waits for its release: another person does that."""
    return view.signatures[-1].by if view.row.step == "county_approved" else None


def _next_here(view: statements.StatementView, role: Role) -> tuple[Role, str] | None:
    """Return who signs next; civil affairs stands in for a vendor that has left the market."""
    following = next_step(view.row.step)
    if view.has_vendor_left and role is Role.BUREAU and view.row.step == "issued":
        return role, "vendor_confirmed"
    return following


@bp.get("/statements/<statement_id>/file")
@allow(*_READERS)
def file(statement_id: str) -> Response:
    """Give a statement as CSV, XLSX, printable sheet or PDF: the reader's copy; taking it is recorded."""
    form = request.args.get("format", "")
    for_vendor = take_statement(
        session(), ports(), current_actor(), statement_id=statement_id, form=form
    )
    doc = statements.document(session(), statement_id, for_vendor=for_vendor)
    answer: Response = current_app.response_class(_bytes(doc, form), content_type=_TYPES[form])
    answer.headers["Content-Disposition"] = f'attachment; filename="{statement_id}.{form}"'
    return answer


def _bytes(doc: export.Document, form: str) -> bytes:
    if form == "csv":
        return export.to_csv(doc)
    if form == "xlsx":
        return export.to_xlsx(doc)
    sheet = export.to_html(doc)
    if form == "html":
        return sheet
    if len(doc.lines) > _MOST_PRINTED:
        raise BadInput(
            field="format", value=form, expected=f"html: more than {_MOST_PRINTED} lines"
        )
    return bytes(ports().printer.pdf(sheet))


@bp.post("/statements/<statement_id>/sign")
@allow(Role.VENDOR, Role.STREET, Role.BUREAU)
def sign(statement_id: str) -> Response:
    """Sign a statement's next step; the last one pays the vendor."""
    sign_next(statement_id)
    return redirect(url_for(".page", statement_id=statement_id))


def sign_next(statement_id: str) -> None:
    """Sign the step that a form names, and say what it came to or why it was refused."""
    form = request.form
    with say_refusal():
        signed = sign_statement(
            session(),
            ports(),
            current_actor(),
            statement_id=statement_id,
            step=form.get("step", ""),
            note=form.get("note", "").strip(),
        )
        flash(str(STEP_WORDS[signed.step]), "ok")


@bp.post("/statements/<statement_id>/sample")
@allow(Role.BUREAU)
def check_sample(statement_id: str) -> Response:
    """Write down what the county found of one sampled visit."""
    form = request.form
    number = form.get("number", 0, type=int)
    with say_refusal():
        record_check(
            session(),
            ports(),
            current_actor(),
            statement_id=statement_id,
            number=number,
            way=form.get("way", ""),
            outcome=form.get("outcome", ""),
            note=form.get("note", ""),
        )
        flash(_("Written down for line %(number)s.", number=number), "ok")
    return redirect(url_for(".page", statement_id=statement_id))
