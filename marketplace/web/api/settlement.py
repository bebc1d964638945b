"""Money that moves beside the visits: the county's sample, the quarter's holdback, own money."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from apiflask import APIBlueprint

from marketplace.kernel.actor import Role
from marketplace.settlement import service as settlement
from marketplace.web.api import answers as out
from marketplace.web.api import bodies
from marketplace.web.api.frame import command_key, for_action, write
from marketplace.web.at_hand import ports, session
from marketplace.web.auth import allow, current_actor
from marketplace.workflows import cash_back, holdback, own_money, sampling, vendor_debts
from marketplace.workflows.policy import About, Action, require, roles_of
from marketplace.workflows.step import remembered

bp = APIBlueprint("api_settlement", __name__, url_prefix="/api/v1", tag="Money")

# A lot known to the vendor would tell it which visits to mend.
_SAMPLE_READERS = sorted(roles_of(Action.SEE_STATEMENT) - {Role.SYSTEM, Role.VENDOR})


@dataclass(frozen=True, slots=True)
class _Check:
    statement_id: str
    number: int
    way: str
    outcome: str
    note: str


@dataclass(frozen=True, slots=True)
class _Sample:
    items: list[sampling.Sampled]


@dataclass(frozen=True, slots=True)
class _Score:
    quarter: str
    vendor_id: str
    district_code: str
    score: int
    reason: str


@dataclass(frozen=True, slots=True)
class _Release:
    quarter: str
    vendor_id: str
    district_code: str


@bp.get("/statements/<string:statement_id>/sample")
@bp.output(out.SampleOut)
@allow(*_SAMPLE_READERS)
def get_sample(statement_id: str) -> Any:
    """Return the visits that the county checks; none before the street has checked."""
    row = settlement.statement(session(), statement_id)
    about = About(
        kind="statement", id=row.id, vendor_id=row.vendor_id, district_code=row.district_code
    )
    require(current_actor(), Action.SEE_STATEMENT, about)
    return {"items": sampling.sample_of(session(), statement_id)}


@bp.post("/statements/<string:statement_id>/sample")
@bp.input(bodies.SampleResult)
@bp.output(out.SampleOut)
@for_action(Action.APPROVE_STATEMENT)
def record_check(statement_id: str, json_data: bodies.SampleResult) -> Any:
    """Write down what the county found of a sampled visit; the answer is the sample since."""
    asked = _Check(statement_id, **json_data.model_dump())
    sample = remembered(
        session(),
        ports(),
        current_actor(),
        key=command_key(),
        command="check_sample",
        request=asked,
        answer=_Sample,
        run=lambda: _Sample(
            sampling.record_check(session(), ports(), current_actor(), **asdict(asked))
        ),
    )
    return {"items": sample.items}


@bp.post("/holdbacks/score")
@bp.input(bodies.ScoreHoldback)
@bp.output(out.HoldbackOut)
@for_action(Action.APPROVE_STATEMENT)
def score_holdback(json_data: bodies.ScoreHoldback) -> Any:
    """Score a vendor's quarter; the answer says what would be paid and kept. Nothing is paid yet."""
    asked = _Score(**json_data.model_dump())
    return remembered(
        session(),
        ports(),
        current_actor(),
        key=command_key(),
        command="score_holdback",
        request=asked,
        answer=holdback.Holdback,
        run=lambda: holdback.score_holdback(session(), ports(), current_actor(), **asdict(asked)),
    )


@bp.post("/holdbacks/release")
@bp.input(bodies.ReleaseHoldback)
@bp.output(out.HoldbackOut)
@for_action(Action.APPROVE_STATEMENT)
def release_holdback(json_data: bodies.ReleaseHoldback) -> Any:
    """Pay what the score earned and return the rest to the budgets; not by whoever scored."""
    asked = _Release(**json_data.model_dump())
    return remembered(
        session(),
        ports(),
        current_actor(),
        key=command_key(),
        command="release_holdback",
        request=asked,
        answer=holdback.Holdback,
        run=lambda: holdback.release_holdback(session(), ports(), current_actor(), **asdict(asked)),
    )


@bp.post("/work-orders/<string:work_order_id>/cash")
@bp.input(bodies.Cash)
@bp.output(out.PaidOut)
@for_action(Action.TAKE_CASH)
def take_cash(work_order_id: str, json_data: bodies.Cash) -> Any:
    """Book cash that the elder gave at the door; the answer says what is still owed."""
    return write(own_money.take_cash, own_money.CashRequest(work_order_id, json_data.fen))


@bp.post("/work-orders/<string:work_order_id>/cash-back")
@bp.input(bodies.Cash)
@bp.output(out.GivenBackOut)
@for_action(Action.TAKE_CASH)
def return_cash(work_order_id: str, json_data: bodies.Cash) -> Any:
    """Book cash that the vendor handed back for a visit that was taken back; the elder is told."""
    return write(cash_back.return_cash, cash_back.CashBackRequest(work_order_id, json_data.fen))


@bp.post("/elders/<string:elder_id>/refunds")
@bp.input(bodies.DeskRefund)
@bp.output(out.GivenBackOut)
@for_action(Action.CORRECT_MONEY)
def refund_at_desk(elder_id: str, json_data: bodies.DeskRefund) -> Any:
    """Book own money that was given back over the counter, against a signed receipt."""
    asked = cash_back.DeskRefundRequest(elder_id, **json_data.model_dump())
    return write(cash_back.refund_at_desk, asked)


@bp.post("/elders/<string:elder_id>/bill")
@bp.output(out.BilledOut)
@for_action(Action.BILL_FAMILY)
def bill_family(elder_id: str) -> Any:
    """Make a bill of what the elder owes; the family pays it by its code."""
    return write(own_money.bill_family, own_money.BillRequest(elder_id))


@bp.get("/vendor-debts")
@bp.output(out.VendorDebtsOut)
@for_action(Action.SEE_STATEMENT)
def list_vendor_debts() -> Any:
    """Return what vendors owe the districts' banks, the greatest debt first; a vendor sees its own."""
    return {"items": vendor_debts.debts_of(session(), current_actor())}


@bp.post("/vendor-debts/repayments")
@bp.input(bodies.Repayment)
@bp.output(out.DebtSettledOut)
@for_action(Action.APPROVE_STATEMENT)
def repay_debt(json_data: bodies.Repayment) -> Any:
    """Book what a vendor repaid; the answer says what it still owes."""
    return write(vendor_debts.repay, vendor_debts.RepayRequest(**json_data.model_dump()))


@bp.post("/vendor-debts/write-offs")
@bp.input(bodies.WriteOff)
@bp.output(out.DebtSettledOut, status_code=201)
@for_action(Action.APPROVE_STATEMENT)
def propose_write_off(json_data: bodies.WriteOff) -> Any:
    """Propose to give up a part of what a vendor owes; nothing moves before a second person agrees."""
    asked = vendor_debts.WriteOffRequest(**json_data.model_dump())
    return write(vendor_debts.propose_write_off, asked)


@bp.post("/vendor-debts/write-offs/<string:write_off_id>/decision")
@bp.input(bodies.WriteOffDecision)
@bp.output(out.DebtSettledOut)
@for_action(Action.APPROVE_STATEMENT)
def write_off_debt(write_off_id: str, json_data: bodies.WriteOffDecision) -> Any:
    """Give up what was proposed; not by whoever proposed it."""
    asked = vendor_debts.WriteOffDecision(write_off_id, json_data.reason)
    return write(vendor_debts.write_off, asked)
