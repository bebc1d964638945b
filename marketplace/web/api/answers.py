"""The answers of the API: the workflows' and queries' dataclasses, as documented models."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, RootModel

from marketplace.queries import as_of as as_of_views
from marketplace.queries import crosschecks as crosscheck_views
from marketplace.queries import entitlements as entitlement_views
from marketplace.queries import orders as views
from marketplace.queries import purse_history as purse_views
from marketplace.queries import statements as statement_views
from marketplace.queries import suspensions as suspension_views
from marketplace.visits.fraud_month import MonthFinding
from marketplace.workflows import (
    accept,
    assign,
    cancel,
    cards,
    cash_back,
    confirm,
    holdback,
    no_access,
    offer,
    own_money,
    place,
    privacy,
    purses,
    recur,
    redeem,
    reverse,
    sampling,
    slots,
    statements,
    substitute,
    suspend,
    vendor_debts,
    visit,
)


class Token(BaseModel):
    """A token for the header ``Authentication-Token``, and whose it is."""

    token: str
    user_id: str
    role: str


class Me(BaseModel):
    """Who is signed in, with the scope of the account."""

    user_id: str
    role: str
    elder_ids: list[str]
    vendor_id: str | None
    caregiver_id: str | None
    district_code: str | None
    town_code: str | None


class SlotsOut(BaseModel):
    """Times at which somebody could come, the earliest first; none where nobody has time."""

    slots: list[slots.Slot]


class HomeCodeOut(BaseModel):
    """The code that a home shows now."""

    code: str
    valid_until: datetime
    qr: str


class LedgerEntries(BaseModel):
    """Every ledger transfer of a work order, oldest first; amounts in fen or minutes by ``unit``."""

    entries: list[dict[str, Any]]


class Ranking(BaseModel):
    """Which vendor would be asked next, and why; the excluded last."""

    vendors: list[dict[str, Any]]


class Offers(BaseModel):
    """Job offers; ``next`` asks for the page after it."""

    items: list[views.OfferView]
    next: str | None = None


class DayPlanOut(BaseModel):
    """A day's latest plan: its run, the states of its work orders, who was left out and why."""

    day: str
    run: dict[str, Any] | None
    states: dict[str, int]
    reasons: dict[str, int]
    left_out: list[dict[str, Any]]


class ProblemFile(RootModel[dict[str, Any]]):
    """A day's problem as the dispatch contract writes it."""


class PlacedOut(RootModel[place.Placed]):
    """The order that was placed."""


class EndedOut(RootModel[recur.Ended]):
    """The order that ends."""


class OrderOut(RootModel[views.OrderView]):
    """One order."""


class WorkOrdersOut(RootModel[views.WorkOrderPage]):
    """A page of work orders."""


class WorkOrderOut(RootModel[views.WorkOrderDetail]):
    """One work order with its history."""


class CancelledOut(RootModel[cancel.Cancelled]):
    """What a cancellation did."""


class RescheduledOut(RootModel[cancel.Rescheduled]):
    """What moving a visit did."""


class NoShowOut(RootModel[cancel.NoShow]):
    """What reporting a no-show did."""


class OfferedOut(RootModel[offer.Offered]):
    """The offers that were made."""


class AnsweredOut(RootModel[accept.Answered]):
    """What a vendor's answer did."""


class SubstitutedOut(RootModel[substitute.Substituted]):
    """Who goes now."""


class VisitOut(RootModel[visit.VisitState]):
    """A visit after the step."""


class NoAccessOut(RootModel[no_access.NoAccess]):
    """What a closed door did."""


class ConfirmedOut(RootModel[confirm.Confirmed]):
    """What was captured."""


class DisputedOut(RootModel[confirm.Disputed]):
    """The work order in dispute."""


class ResolvedOut(RootModel[confirm.Resolved]):
    """What a decision did."""


class DayPlannedOut(RootModel[assign.DayPlanned]):
    """What planning a day did."""


class PreviewOut(BaseModel):
    """Who would pay what, and the next dates; holidays that are skipped by date."""

    elder_id: str
    service_code: str
    on: date
    price_fen: int
    own_fen: int
    shares: list[dict[str, Any]]
    left_after: dict[str, int]
    expected: bool
    next_dates: list[date]
    holidays_skipped: dict[str, str]


class ReversedOut(RootModel[reverse.Reversed]):
    """What went back."""


class ClosedOut(BaseModel):
    """The districts' months that are closed."""

    model_config = ConfigDict(from_attributes=True)

    closed: list[dict[str, Any]]


class StatementsOut(BaseModel):
    """Statements, the newest month first."""

    items: list[statement_views.StatementRow]


class StatementOut(BaseModel):
    """One statement with its lines; amounts in fen."""

    statement_id: str
    period: str
    vendor_id: str
    total_fen: int
    payable_fen: int
    outside_fen: int
    own_fen: int
    holdback_fen: int
    by_programme: dict[str, int]
    sha256: str
    lines: list[dict[str, Any]]
    signatures: list[dict[str, Any]]


class SignedOut(RootModel[statements.Signed]):
    """How far a statement has come."""


class PursesOut(BaseModel):
    """What an elder holds, how it moved (fen or minutes; less than nothing went out), and what is owed."""

    purses: list[entitlement_views.Purse]
    movements: list[purse_views.Movement]
    owed_fen: int


class ApplicationOut(RootModel[purses.Application]):
    """An application for a grant, and what it filled once it is approved."""


class PurseFilledOut(RootModel[purses.PurseFilled]):
    """A purse and what came into it."""


class SampleOut(BaseModel):
    """The visits of a statement that the county checks."""

    items: list[sampling.Sampled]


class PaidOut(RootModel[own_money.Paid]):
    """What the elder owes after a payment."""


class GivenBackOut(RootModel[cash_back.GivenBack]):
    """What was given back, and what the elder still has to the good."""


class VendorDebtsOut(BaseModel):
    """What vendors owe the districts' banks."""

    items: list[vendor_debts.Debt]


class DebtSettledOut(RootModel[vendor_debts.Settled]):
    """What was repaid, proposed or given up, and what the vendor still owes."""


class BilledOut(RootModel[own_money.Billed]):
    """A bill and the code by which it is paid."""


class HoldbackOut(RootModel[holdback.Holdback]):
    """A vendor's quarter: held back, paid and kept."""


class SuspendedOut(RootModel[suspend.Suspended]):
    """What suspending a vendor did."""


class ReinstatedOut(RootModel[suspend.Reinstated]):
    """The vendor that is back."""


class SuspensionsOut(BaseModel):
    """A vendor's suspensions, the newest first."""

    items: list[suspension_views.SuspensionView]


class IssuedOut(RootModel[cards.Issued]):
    """The card or sheet, and the codes to print."""


class CardsOut(BaseModel):
    """An elder's cards and sheets, the newest first."""

    items: list[cards.CardView]


class RevokedOut(RootModel[cards.Revoked]):
    """The card that is out of use."""


class RedeemedOut(RootModel[redeem.Redeemed]):
    """What redeeming did, and why a person has to look."""


class CrossChecksOut(BaseModel):
    """Readings of lists, and flagged visits, the latest first."""

    runs: list[crosscheck_views.RunView]
    flags: list[crosscheck_views.FlagView]


class MonthFindingsOut(BaseModel):
    """What the monthly rules found, by rule and subject."""

    period: str
    items: list[MonthFinding]


class RevealedOut(RootModel[privacy.Revealed]):
    """An identity number in full."""


class LooksOut(BaseModel):
    """Looks into a file, the latest first; ``next`` asks for those before."""

    items: list[privacy.LookView]
    next: int | None = None


class ConsentsOut(BaseModel):
    """Every purpose and whether its consent holds."""

    items: list[privacy.ConsentView]


class ConsentOut(RootModel[privacy.ConsentState]):
    """Whether the consent holds now."""


class RefusalsOut(BaseModel):
    """Caregivers whom an elder does not want, the latest first."""

    items: list[privacy.RefusalView]


class RefusalOut(RootModel[privacy.RefusalState]):
    """Whether the caregiver is refused now, and which visits need somebody else."""


class AsOfOut(RootModel[as_of_views.ElderAsOf]):
    """An elder's file as of a day."""
