"""The bodies and queries of the API."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from marketplace.orders.states import State
from marketplace.visits.cards import MOST_CODES
from marketplace.visits.rules import Method
from marketplace.web.api.types import (
    Body,
    Code,
    Cursor,
    Day,
    Debt,
    Fen,
    Flag,
    Id,
    Latitude,
    Limit,
    LineNumber,
    Longitude,
    Metres,
    Minutes,
    Moment,
    Note,
    Percent,
    Quantity,
    Query,
    Reference,
    Rule,
    SecondOfDay,
    Seconds,
    Seed,
    Short,
    Workers,
)
from marketplace.workflows.accept import DECLINE_REASONS
from marketplace.workflows.interrupt import INTERRUPT_REASONS
from marketplace.workflows.privacy import PURPOSES
from marketplace.workflows.redeem_on_paper import MOST_SLIP_NO, SIGNED_BY, SLIP_NO
from marketplace.workflows.reverse import REASONS as REVERSE_REASONS
from marketplace.workflows.statements import STEPS


class SignIn(Body):
    """A name and a password; ``code`` of the second factor where the account has one."""

    username: Short
    password: Annotated[str, Field(min_length=1, max_length=200)]
    code: Annotated[str, Field(pattern=r"^\d{6}$")] | None = None


class NewOrder(Body):
    """What is wanted, for whom and when. Without ``rrule`` the order has one date."""

    elder_id: Id
    service_code: Annotated[str, Field(pattern=r"^[A-Z]{2}[0-9]{3}$")]
    starts_on: Day
    window_start_s: SecondOfDay
    window_end_s: SecondOfDay
    quantity: Quantity = 1
    vendor_id: Id | None = None
    caregiver_id: Id | None = None
    site_id: Id | None = None
    rrule: Rule | None = None
    ends_on: Day | None = None
    skip_holidays: Flag = True
    note: Note = ""
    reference: Reference | None = None


class SlotsQuery(Query):
    """For whom and what; ``on`` asks for one day, else the week ahead is looked at.

    ``instead_of``: the work order that is to be moved.
    """

    elder_id: Id
    service_code: Annotated[str, Field(pattern=r"^[A-Z]{2}[0-9]{3}$")]
    on: Day | None = None
    vendor_id: Id | None = None
    quantity: Quantity = 1
    instead_of: Id | None = None


class TakeSlot(Body):
    """A time that was proposed, with the people who were named for it."""

    elder_id: Id
    service_code: Annotated[str, Field(pattern=r"^[A-Z]{2}[0-9]{3}$")]
    on: Day
    start_s: SecondOfDay
    caregiver_ids: Annotated[list[Id], Field(min_length=1, max_length=4)]
    quantity: Quantity = 1
    vendor_id: Id | None = None
    note: Note = ""
    reference: Reference | None = None


class End(Body):
    """The last day of a recurring order."""

    last_on: Day


class Cancel(Body):
    """Why a visit is called off."""

    reason: Note


class Reason(Body):
    """Why it is done, in words that are kept."""

    reason: Annotated[Note, Field(min_length=1, pattern=r"\S")]


class Reschedule(Body):
    """The new day and window."""

    visit_on: Day
    window_start_s: SecondOfDay
    window_end_s: SecondOfDay


class MoveToSlot(Body):
    """A time that was proposed for the visit, with the people who were named for it."""

    on: Day
    start_s: SecondOfDay
    caregiver_ids: Annotated[list[Id], Field(min_length=1, max_length=4)]


class OfferTo(Body):
    """The vendors that are asked at once."""

    vendor_ids: Annotated[list[Id], Field(min_length=1, max_length=20)]


class Decline(Body):
    """Why a vendor says no."""

    reason: Literal[DECLINE_REASONS]  # type: ignore[valid-type]


class Substitute(Body):
    """Who goes instead, and when."""

    caregiver_ids: Annotated[list[Id], Field(min_length=1, max_length=4)]
    start_s: SecondOfDay


class Evidence(Body):
    """How presence is shown. ``evidence_id`` is made by the phone: sent twice, it is one row."""

    evidence_id: Id
    method: Method
    at_device: Moment
    lat: Latitude | None = None
    lng: Longitude | None = None
    accuracy_m: Metres | None = None
    device_id: Id | None = None
    offline: Flag = False
    code: Code | None = None
    note: Note = ""
    phash: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")] | None = None
    taken_at: Moment | None = None
    mock_location: Flag = False
    rooted: Flag = False


class CheckIn(Body):
    """The start of a visit; ``visit_id`` is made by the phone."""

    visit_id: Id
    shown: Evidence
    caregiver_id: Id | None = None


class CheckOut(Body):
    """The end of a visit."""

    shown: Evidence


class NoAccess(Body):
    """Nobody opened."""

    visit_id: Id
    shown: Evidence


class Interrupt(Body):
    """Why a visit breaks off."""

    reason: Literal[INTERRUPT_REASONS]  # type: ignore[valid-type]
    shown: Evidence


class Confirm(Body):
    """How a visit is confirmed."""

    method: Literal["tap", "pin", "voice", "worker"]
    pin: Code | None = None
    reference: Reference | None = None


class Dispute(Body):
    """What is wrong with a visit."""

    reason: Annotated[Note, Field(min_length=1)]
    nobody_came: Flag = False


class Resolve(Body):
    """A person's decision on a dispute."""

    outcome: Literal["pay", "pay_part", "void"]
    reason: Annotated[Note, Field(min_length=1)]
    minutes: Minutes | None = None


class PlanDay(Body):
    """How long and from which seed a day is planned."""

    seconds: Seconds = 60.0
    seed: Seed = 1
    workers: Workers = 2


class WorkOrderQuery(Query):
    """Which work orders, and from where on."""

    day: Day | None = None
    state: State | None = None
    elder_id: Id | None = None
    after: Cursor | None = None
    limit: Limit = 50


class PageQuery(Query):
    """From where on, and how many."""

    after: Cursor | None = None
    limit: Limit = 50


class Reverse(Body):
    """Why captured money goes back, and what a person found."""

    reason: Literal[REVERSE_REASONS]  # type: ignore[valid-type]
    finding: Annotated[Note, Field(min_length=1)]


class ClosePeriod(Body):
    """Which district's month is closed."""

    district_code: Annotated[str, Field(pattern=r"^[0-9]{6}$")]


class Sign(Body):
    """Which step of a statement is signed, and a remark."""

    step: Literal[STEPS]  # type: ignore[valid-type]
    note: Note = ""


class SampleResult(Body):
    """What the county found of one sampled line, in the field or by telephone."""

    number: LineNumber
    way: Literal["field", "call"]
    outcome: Literal["confirmed", "doubtful"]
    note: Note = ""


class Cash(Body):
    """Cash at the door, in fen."""

    fen: Fen


class DeskRefund(Body):
    """Own money given back over the counter, in fen, and the number of the signed receipt."""

    fen: Fen
    receipt: Reference


class Repayment(Body):
    """What a vendor repaid to a district's bank, in fen, and the bank's number of it."""

    vendor_id: Id
    district_code: Annotated[str, Field(pattern=r"^[0-9]{6}$")]
    fen: Debt
    receipt: Reference


class WriteOff(Body):
    """How much of a vendor's debt is to be given up, in fen, and why."""

    vendor_id: Id
    district_code: Annotated[str, Field(pattern=r"^[0-9]{6}$")]
    fen: Debt
    reason: Note


class WriteOffDecision(Body):
    """Why the second person agrees."""

    reason: Note


class ReleaseHoldback(Body):
    """Whose quarter's holdback is paid."""

    quarter: Annotated[str, Field(pattern=r"^20[0-9]{2}Q[1-4]$")]
    vendor_id: Id
    district_code: Annotated[str, Field(pattern=r"^[0-9]{6}$")]


class ScoreHoldback(ReleaseHoldback):
    """The quality score of a vendor's quarter, and where it comes from."""

    score: Percent
    reason: Annotated[Note, Field(min_length=1)]


class StatementQuery(Query):
    """Of which month."""

    period: Annotated[str, Field(pattern=r"^20[0-9]{2}-(0[1-9]|1[0-2])$")] | None = None


class NewCard(Body):
    """A card's number, or how many codes a sheet shall have; good until a day."""

    valid_until: Day
    number: (
        Annotated[str, Field(min_length=6, max_length=40, pattern=r"^[0-9A-Za-z -]+$")] | None
    ) = None
    codes: Annotated[int, Field(ge=1, le=MOST_CODES)] | None = None


class Reading(Body):
    """What a site's reader read, and who serves there."""

    reading_id: Id
    code: Code
    caregiver_ids: Annotated[list[Id], Field(min_length=1, max_length=4)]


class PhoneReport(Body):
    """What the elder said on the phone; ``number`` is the caller's."""

    caregiver_ids: Annotated[list[Id], Field(min_length=1, max_length=4)]
    began_at: Moment
    ended_at: Moment
    recording: Reference
    number: Annotated[str, Field(min_length=3, max_length=20, pattern=r"^[0-9+ -]+$")]


class Paper(Body):
    """A paper record as one person reads it."""

    slip_no: Annotated[str, Field(min_length=1, max_length=MOST_SLIP_NO, pattern=SLIP_NO)]
    caregiver_ids: Annotated[list[Id], Field(min_length=1, max_length=4)]
    began_at: Moment
    ended_at: Moment
    signed_by: Literal[SIGNED_BY]


class LooksQuery(Query):
    """How many looks, and before which."""

    before: Annotated[int, Field(ge=1, le=2**62)] | None = None
    limit: Limit = 100


class Consent(Body):
    """A purpose and whether its consent holds from now on; where the elder said so."""

    purpose: Literal[PURPOSES]
    holds: Flag
    reference: Reference | None = None


class Refusal(Body):
    """A caregiver, and whether the elder does not want them."""

    caregiver_id: Id
    is_refused: Flag = True
    reason: Note = ""


class AsOfQuery(Query):
    """The day, and the instant after which nothing was known yet."""

    on: Day
    known_at: Moment | None = None


class GrantApplication(Body):
    """Which programme is applied for, and what is wanted."""

    programme_code: Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9-]{0,11}$")]
    note: Note = ""


class ApplicationDecision(Body):
    """Whether an application is approved, and why."""

    approve: Flag
    reason: Annotated[Note, Field(min_length=1, pattern=r"\S")]


class TopUp(Body):
    """An elder's own money; ``receipt`` names the payment."""

    fen: Fen
    receipt: Reference


class CreditHours(Body):
    """Verified hours of helping, in minutes; ``record`` names the register's entry."""

    minutes: Minutes
    record: Reference


class GiveHours(Body):
    """Hours for a relative in the register, in minutes; ``relation`` in plain words."""

    to_elder_id: Id
    minutes: Minutes
    relation: Annotated[Short, Field(pattern=r"\S")]
