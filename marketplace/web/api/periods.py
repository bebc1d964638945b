"""Money of a month: preview a price, close the month, read and sign statements, reverse a visit."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from apiflask import APIBlueprint

from marketplace.kernel.actor import Role
from marketplace.queries import statements as views
from marketplace.web.api import answers as out
from marketplace.web.api import bodies
from marketplace.web.api.frame import command_key, for_action, period_of, write
from marketplace.web.at_hand import ports, session
from marketplace.web.auth import allow, current_actor
from marketplace.workflows import place, reverse, settle, statements
from marketplace.workflows.policy import About, Action, require, roles_of
from marketplace.workflows.preview import preview_order
from marketplace.workflows.reach import reach
from marketplace.workflows.step import remembered

bp = APIBlueprint("api_periods", __name__, url_prefix="/api/v1", tag="Money")

_SIGNERS = sorted({r for a in statements.ACTIONS.values() for r in roles_of(a)} - {Role.SYSTEM})


@dataclass(frozen=True, slots=True)
class _Close:
    period: str
    district_code: str


@dataclass(frozen=True, slots=True)
class _Closed:
    closed: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class _Sign:
    statement_id: str
    step: str
    note: str


@bp.post("/orders/preview")
@bp.input(bodies.NewOrder)
@bp.output(out.PreviewOut)
@for_action(Action.PLACE_ORDER)
def preview(json_data: bodies.NewOrder) -> Any:
    """Say who would pay what, and the next ten dates of a recurring order; nothing is written."""
    asked = place.OrderRequest(**json_data.model_dump(), channel="api")
    shown = preview_order(session(), ports(), current_actor(), request=asked)
    dates = place.next_dates(asked, at=ports().clock.now())
    return {
        **asdict(shown),
        "shares": [asdict(s) for s in shown.shares],
        "next_dates": [d.on for d in dates if d.holiday is None],
        "holidays_skipped": {d.on.isoformat(): d.holiday for d in dates if d.holiday is not None},
    }


@bp.post("/work-orders/<string:work_order_id>/reverse")
@bp.input(bodies.Reverse)
@bp.output(out.ReversedOut)
@for_action(Action.CORRECT_MONEY)
def reverse_visit(work_order_id: str, json_data: bodies.Reverse) -> Any:
    """Reverse a captured visit; the vendor's next statement gets a negative line."""
    return write(reverse.reverse, reverse.ReverseRequest(work_order_id, **json_data.model_dump()))


@bp.post("/periods/<string:period>/close")
@bp.input(bodies.ClosePeriod)
@bp.output(out.ClosedOut)
@for_action(Action.CLOSE_PERIOD)
def close_period(period: str, json_data: bodies.ClosePeriod) -> Any:
    """Close a month of a district into statements; a closed one answers as the first time."""
    asked = _Close(str(period_of(period)), json_data.district_code)

    def run() -> _Closed:
        closed = settle.close_month(
            session(),
            ports(),
            current_actor(),
            period=period_of(period),
            district_code=json_data.district_code,
        )
        return _Closed([asdict(c) for c in closed])

    return remembered(
        session(),
        ports(),
        current_actor(),
        key=command_key(),
        command="close_month",
        request=asked,
        answer=_Closed,
        run=run,
    )


@bp.get("/statements")
@bp.input(bodies.StatementQuery, location="query")
@bp.output(out.StatementsOut)
@for_action(Action.SEE_STATEMENT)
def list_statements(query_data: bodies.StatementQuery) -> Any:
    """Return the newest statements in your reach, of one month or of all."""
    scope = reach(session(), current_actor(), Action.SEE_STATEMENT)
    return {"items": views.statements(session(), scope, period=query_data.period)}


@bp.get("/statements/<string:statement_id>")
@bp.output(out.StatementOut)
@for_action(Action.SEE_STATEMENT)
def get_statement(statement_id: str) -> Any:
    """Return one statement with its lines and signatures."""
    # To a vendor the payer is the government or the elder: a programme tells of income and ability.
    for_vendor = current_actor().role is Role.VENDOR
    found = views.document(session(), statement_id, for_vendor=for_vendor)
    require(
        current_actor(),
        Action.SEE_STATEMENT,
        About(
            kind="statement",
            id=statement_id,
            vendor_id=found.vendor_id,
            district_code=found.district_code,
        ),
    )
    return {
        "statement_id": found.statement_id,
        "period": found.period,
        "vendor_id": found.vendor_id,
        "total_fen": found.total_fen,
        "payable_fen": found.payable_fen,
        "outside_fen": found.outside_fen,
        "own_fen": found.own_fen,
        "holdback_fen": found.holdback_fen,
        "by_programme": dict(found.by_programme),
        "sha256": found.sha256,
        "lines": [
            {
                **asdict(line),
                "visit_on": line.visit_on.isoformat(),
                "by_programme": dict(line.by_programme),
            }
            for line in found.lines
        ],
        "signatures": [{"step": s.step, "at": s.at.isoformat()} for s in found.signatures],
    }


@bp.post("/statements/<string:statement_id>/signatures")
@bp.input(bodies.Sign)
@bp.output(out.SignedOut)
@allow(*_SIGNERS)
def sign_statement(statement_id: str, json_data: bodies.Sign) -> Any:
    """Sign one step of a statement; the last one pays the vendor, a repeat changes nothing."""
    asked = _Sign(statement_id, json_data.step, json_data.note)
    return remembered(
        session(),
        ports(),
        current_actor(),
        key=command_key(),
        command="sign_statement",
        request=asked,
        answer=statements.Signed,
        run=lambda: statements.sign_statement(session(), ports(), current_actor(), **asdict(asked)),
    )
