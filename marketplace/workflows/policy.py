"""Who may do what to which thing, and which fields they see: roles x actions x objects.

Pure. The table is the whole law: a role that is not named for an action may not do it. A workflow
reads the facts of the object (``About``) and calls ``require``; a screen asks ``scope`` for the rows
and fields that a role reaches. Source: domain rules, roles.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from marketplace.kernel.actor import Actor, Role, Scope
from marketplace.kernel.errors import NotAllowed, NotFound, SecondPersonNeeded


class Action(StrEnum):
    """What can be done. The values are public: audit rows and refusals name them."""

    BROWSE = "browse"
    PLACE_ORDER = "place_order"
    END_ORDER = "end_order"
    CANCEL = "cancel"
    RESCHEDULE = "reschedule"
    SEE_WORK_ORDER = "see_work_order"
    SEE_MONEY = "see_money"
    SEE_EVIDENCE = "see_evidence"
    SEE_ELDER = "see_elder"
    SEE_VENDOR = "see_vendor"
    SEE_PLAN = "see_plan"
    SEE_STATISTICS = "see_statistics"
    SEE_HOME_CODE = "see_home_code"
    OFFER = "offer"
    SEE_OFFERS = "see_offers"
    ANSWER_OFFER = "answer_offer"
    PLAN_DAY = "plan_day"
    ASSIGN_BY_HAND = "assign_by_hand"
    EDIT_ROSTER = "edit_roster"
    ADD_PROOF = "add_proof"
    CHECK_IN = "check_in"
    CHECK_OUT = "check_out"
    REPORT_NO_ACCESS = "report_no_access"
    INTERRUPT = "interrupt"
    REPORT_NO_SHOW = "report_no_show"
    CONFIRM = "confirm"
    DISPUTE = "dispute"
    RESOLVE = "resolve"
    LOAD = "load"
    GRANT = "grant"
    CHANGE_PROGRAMME = "change_programme"
    APPLY_FOR_GRANT = "apply_for_grant"
    DECIDE_APPLICATION = "decide_application"
    TOP_UP = "top_up"
    CREDIT_HOURS = "credit_hours"
    GIVE_HOURS = "give_hours"
    CLOSE_PERIOD = "close_period"
    SEE_STATEMENT = "see_statement"
    CONFIRM_STATEMENT = "confirm_statement"
    CHECK_STATEMENT = "check_statement"
    APPROVE_STATEMENT = "approve_statement"
    CORRECT_MONEY = "correct_money"
    TAKE_CASH = "take_cash"
    BILL_FAMILY = "bill_family"
    RUN_UPKEEP = "run_upkeep"
    SUSPEND_VENDOR = "suspend_vendor"
    REINSTATE_VENDOR = "reinstate_vendor"
    SEE_SUSPENSIONS = "see_suspensions"
    ONBOARD = "onboard"
    FOLLOW_UP = "follow_up"
    COMPLAIN = "complain"
    ASK_RING_BACK = "ask_ring_back"
    REPAIR = "repair"
    WITHDRAW = "withdraw"
    LINK_FAMILY = "link_family"
    USE_LINK_CODE = "use_link_code"
    REPORT_MISTAKE = "report_mistake"
    DECIDE_CORRECTION = "decide_correction"
    RUN_CROSSCHECK = "run_crosscheck"
    SEE_FLAGS = "see_flags"
    REVEAL_ID_NUMBER = "reveal_id_number"
    SEE_LOOKS = "see_looks"
    KEEP_CONSENT = "keep_consent"
    SEE_CONSENTS = "see_consents"
    REFUSE_CAREGIVER = "refuse_caregiver"
    SEE_AS_OF = "see_as_of"
    ISSUE_CARD = "issue_card"
    SEE_CARDS = "see_cards"
    REVOKE_CARD = "revoke_card"
    REDEEM_AT_SITE = "redeem_at_site"
    REDEEM_BY_PHONE = "redeem_by_phone"
    ENTER_PAPER = "enter_paper"
    KEEP_ACCOUNTS = "keep_accounts"


class Field(StrEnum):
    """Groups of personal fields. Ids, states, service and times belong to none."""

    NAME = "name"
    PHONE = "phone"
    ADDRESS = "address"
    DOOR_NOTES = "door_notes"
    ABILITY = "ability"
    INCOME = "income"
    MONEY = "money"
    EVIDENCE = "evidence"
    ID_NUMBER_MASKED = "id_number_masked"
    ID_NUMBER_FULL = "id_number_full"


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """The facts of the object that decide whether the actor reaches it.

    ``powers``: what the elder allowed this family account. ``offered_to``: vendors that hold an open
    offer of it. ``entered_by``: the user whose entry is to be approved (two-person rule). ``id`` and
    ``kind`` only name the object in a refusal.
    """

    kind: str = "object"
    id: str = ""
    elder_id: str | None = None
    powers: frozenset[str] = field(default_factory=frozenset)
    vendor_id: str | None = None
    offered_to: frozenset[str] = field(default_factory=frozenset)
    caregiver_ids: frozenset[str] = field(default_factory=frozenset)
    district_code: str | None = None
    town_code: str | None = None
    entered_by: str | None = None


NOTHING = About(kind="system")
"""For actions that touch no one object."""

Reach = Callable[[Actor, About], bool]


def _anywhere(actor: Actor, about: About) -> bool:
    return True


def _own(actor: Actor, about: About) -> bool:
    return about.elder_id is not None and about.elder_id in actor.elder_ids


def _in_town(actor: Actor, about: About) -> bool:
    return actor.town_code is not None and about.town_code == actor.town_code


def _in_district(actor: Actor, about: About) -> bool:
    """Civil affairs of a district; without a district the account is the whole city's."""
    own = district_of(actor)
    return own is None or about.district_code == own


def district_of(actor: Actor) -> str | None:
    """Return the district of an account, ``None`` for the whole city.

    An office of a town is its town's district's, whatever else the account lacks: never the city's.
    """
    if actor.role in (Role.STREET, Role.COMMUNITY):
        return actor.district_code or (actor.town_code or "-")[:6]
    return actor.district_code


def _own_vendor(actor: Actor, about: About) -> bool:
    return actor.vendor_id is not None and about.vendor_id == actor.vendor_id


def _own_or_offered(actor: Actor, about: About) -> bool:
    return _own_vendor(actor, about) or actor.vendor_id in about.offered_to


def _own_job(actor: Actor, about: About) -> bool:
    return actor.caregiver_id is not None and actor.caregiver_id in about.caregiver_ids


@dataclass(frozen=True, slots=True)
class _May:
    """One cell of the table: what is in reach, and what more is asked."""

    reach: Reach
    power: str | None = None
    not_own_entry: bool = False
    whole_city: bool = False


E, F, H, C = Role.ELDER, Role.FAMILY, Role.HOTLINE, Role.COMMUNITY
V, G, S, B, A, SYS = (
    Role.VENDOR,
    Role.CAREGIVER,
    Role.STREET,
    Role.BUREAU,
    Role.AUDITOR,
    Role.SYSTEM,
)

_ELDER = _May(_own)
_ALL = _May(_anywhere)
_ALL_BUT_OWN = _May(_anywhere, not_own_entry=True)
_TOWN = _May(_in_town)
_DISTRICT = _May(_in_district)
_VENDOR = _May(_own_vendor)
_JOB = _May(_own_job)


def _family(power: str) -> _May:
    return _May(_own, power=power)


_ORDERING = {E: _ELDER, F: _family("order"), H: _ALL, C: _TOWN, SYS: _ALL}
_CANCELLING = {E: _ELDER, F: _family("cancel"), H: _ALL, C: _TOWN, SYS: _ALL}

TABLE: dict[Action, dict[Role, _May]] = {
    Action.BROWSE: dict.fromkeys(Role, _ALL),
    Action.PLACE_ORDER: _ORDERING,
    Action.END_ORDER: _CANCELLING,
    Action.CANCEL: {**_CANCELLING, V: _VENDOR},
    Action.RESCHEDULE: _ORDERING,
    Action.SEE_WORK_ORDER: {
        E: _ELDER,
        F: _family("see_visits"),
        H: _ALL,
        C: _TOWN,
        V: _May(_own_or_offered),
        G: _JOB,
        S: _TOWN,
        B: _DISTRICT,
        A: _DISTRICT,
        SYS: _ALL,
    },
    Action.SEE_MONEY: {
        E: _ELDER,
        F: _family("see_money"),
        H: _ALL,
        C: _TOWN,
        S: _TOWN,
        B: _DISTRICT,
        A: _DISTRICT,
        SYS: _ALL,
    },
    Action.SEE_EVIDENCE: {
        E: _ELDER,
        F: _family("see_visits"),
        V: _VENDOR,
        S: _TOWN,
        B: _DISTRICT,
        A: _DISTRICT,
        SYS: _ALL,
    },
    Action.SEE_ELDER: {
        E: _ELDER,
        F: _May(_own),
        H: _ALL,
        C: _TOWN,
        S: _TOWN,
        B: _DISTRICT,
        SYS: _ALL,
    },
    Action.SEE_VENDOR: {H: _ALL, V: _VENDOR, S: _ALL, B: _ALL, A: _ALL, SYS: _ALL},
    Action.SEE_PLAN: {H: _ALL, V: _VENDOR, S: _TOWN, B: _DISTRICT, A: _DISTRICT, SYS: _ALL},
    Action.SEE_STATISTICS: {S: _TOWN, B: _DISTRICT, A: _DISTRICT, SYS: _ALL},
    Action.SEE_HOME_CODE: {E: _ELDER, F: _family("order"), SYS: _ALL},
    Action.OFFER: {H: _ALL, B: _DISTRICT, SYS: _ALL},
    Action.SEE_OFFERS: {V: _May(_own_or_offered), H: _ALL, SYS: _ALL},
    Action.ANSWER_OFFER: {V: _May(_own_or_offered)},
    Action.PLAN_DAY: {B: _May(_anywhere, whole_city=True), SYS: _ALL},
    Action.ASSIGN_BY_HAND: {V: _VENDOR, B: _DISTRICT, SYS: _ALL},
    Action.EDIT_ROSTER: {V: _VENDOR, SYS: _ALL},
    Action.ADD_PROOF: {V: _VENDOR, SYS: _ALL},
    Action.CHECK_IN: {G: _JOB, V: _VENDOR},
    Action.CHECK_OUT: {G: _JOB, V: _VENDOR},
    Action.REPORT_NO_ACCESS: {G: _JOB},
    Action.INTERRUPT: {G: _JOB},
    Action.REPORT_NO_SHOW: {
        E: _ELDER,
        F: _family("see_visits"),
        H: _ALL,
        C: _TOWN,
        V: _VENDOR,
        SYS: _ALL,
    },
    Action.CONFIRM: {
        E: _ELDER,
        F: _family("see_visits"),
        H: _ALL_BUT_OWN,
        C: _May(_in_town, not_own_entry=True),
        SYS: _ALL,
    },
    Action.DISPUTE: {E: _ELDER, F: _family("see_visits"), H: _ALL, C: _TOWN, SYS: _ALL},
    Action.RESOLVE: {
        S: _May(_in_town, not_own_entry=True),
        B: _May(_in_district, not_own_entry=True),
    },
    Action.LOAD: {B: _May(_in_district), SYS: _ALL},
    Action.GRANT: {B: _May(_in_district, not_own_entry=True), SYS: _ALL_BUT_OWN},
    Action.CHANGE_PROGRAMME: {B: _May(_in_district, not_own_entry=True), SYS: _ALL_BUT_OWN},
    Action.APPLY_FOR_GRANT: _ORDERING,
    Action.DECIDE_APPLICATION: {
        S: _May(_in_town, not_own_entry=True),
        B: _May(_in_district, not_own_entry=True),
        SYS: _ALL_BUT_OWN,
    },
    Action.TOP_UP: {C: _TOWN, S: _TOWN, B: _DISTRICT, SYS: _ALL},
    Action.CREDIT_HOURS: {S: _TOWN, B: _DISTRICT, SYS: _ALL},
    Action.GIVE_HOURS: {E: _ELDER, C: _TOWN, SYS: _ALL},
    Action.CLOSE_PERIOD: {B: _DISTRICT, SYS: _ALL},
    Action.SEE_STATEMENT: {V: _VENDOR, S: _DISTRICT, B: _DISTRICT, A: _DISTRICT, SYS: _ALL},
    Action.CONFIRM_STATEMENT: {V: _VENDOR},
    Action.CHECK_STATEMENT: {S: _DISTRICT},
    Action.APPROVE_STATEMENT: {B: _May(_in_district, not_own_entry=True)},
    Action.CORRECT_MONEY: {B: _May(_in_district, not_own_entry=True), SYS: _ALL},
    Action.TAKE_CASH: {G: _JOB, V: _VENDOR, H: _ALL, SYS: _ALL},
    Action.BILL_FAMILY: {E: _ELDER, F: _family("see_money"), H: _ALL, SYS: _ALL},
    Action.RUN_UPKEEP: {SYS: _ALL},
    Action.SUSPEND_VENDOR: {B: _DISTRICT, SYS: _ALL},
    Action.REINSTATE_VENDOR: {B: _May(_in_district, not_own_entry=True), SYS: _ALL},
    Action.ISSUE_CARD: {C: _TOWN, S: _TOWN, B: _DISTRICT, SYS: _ALL},
    Action.SEE_CARDS: {E: _ELDER, H: _ALL, C: _TOWN, S: _TOWN, B: _DISTRICT, SYS: _ALL},
    Action.REVOKE_CARD: {E: _ELDER, H: _ALL, C: _TOWN, S: _TOWN, B: _DISTRICT, SYS: _ALL},
    Action.REDEEM_AT_SITE: {V: _VENDOR, G: _VENDOR},
    Action.REDEEM_BY_PHONE: {H: _ALL_BUT_OWN},
    Action.ENTER_PAPER: {H: _ALL, C: _TOWN, S: _TOWN},
    Action.KEEP_ACCOUNTS: {SYS: _ALL},
    Action.RUN_CROSSCHECK: {B: _May(_in_district), SYS: _ALL},
    Action.REVEAL_ID_NUMBER: {B: _DISTRICT},
    Action.SEE_LOOKS: {E: _ELDER, H: _ALL, B: _DISTRICT, A: _DISTRICT, SYS: _ALL},
    Action.KEEP_CONSENT: {E: _ELDER, H: _ALL, C: _TOWN, B: _DISTRICT},
    Action.SEE_CONSENTS: {E: _ELDER, H: _ALL, C: _TOWN, S: _TOWN, B: _DISTRICT, SYS: _ALL},
    Action.REFUSE_CAREGIVER: {E: _ELDER, F: _family("order"), H: _ALL, C: _TOWN},
    Action.SEE_AS_OF: {S: _TOWN, B: _DISTRICT, A: _DISTRICT, SYS: _ALL},
    Action.SEE_FLAGS: {S: _TOWN, B: _DISTRICT, A: _DISTRICT, SYS: _ALL},
    Action.SEE_SUSPENSIONS: {H: _ALL, S: _DISTRICT, B: _DISTRICT, A: _DISTRICT, SYS: _ALL},
    Action.ONBOARD: {H: _ALL, C: _TOWN},
    Action.FOLLOW_UP: {
        H: _ALL_BUT_OWN,
        C: _May(_in_town, not_own_entry=True),
        SYS: _ALL_BUT_OWN,
    },
    Action.COMPLAIN: {E: _ELDER, F: _family("see_visits"), H: _ALL, C: _TOWN},
    Action.ASK_RING_BACK: {H: _ALL, C: _TOWN, S: _TOWN, B: _DISTRICT},
    Action.REPAIR: {H: _ALL, SYS: _ALL},
    Action.WITHDRAW: {G: _JOB},
    Action.LINK_FAMILY: {E: _ELDER, H: _ALL, C: _TOWN},
    Action.USE_LINK_CODE: {F: _ALL},
    Action.REPORT_MISTAKE: {G: _JOB},
    Action.DECIDE_CORRECTION: {
        S: _May(_in_town, not_own_entry=True),
        B: _May(_in_district, not_own_entry=True),
    },
}
"""The law. A community worker and a hotline operator may enter and may confirm, never both for one
order; civil affairs never approves its own entry; the auditor appears in actions that only read."""


def roles_of(action: Action) -> frozenset[Role]:
    """Return the roles that may do the action to at least some object."""
    return frozenset(TABLE[action])


def require(actor: Actor, action: Action, about: About = NOTHING) -> None:
    """Return when the actor may do the action to the object.

    Raises ``NotAllowed`` where the role or a family's power forbids it, or where it concerns the whole
    city and the account is one district's, ``SecondPersonNeeded`` where the two-person rule forbids it,
    and ``NotFound`` where the object lies outside the actor's reach, so that ids cannot be tried out.
    """
    may = TABLE[action].get(actor.role)
    if may is None:
        raise NotAllowed(action=action.value, role=actor.role.value)
    if not may.reach(actor, about):
        raise NotFound(kind=about.kind, id=about.id)
    if may.whole_city and district_of(actor) is not None:
        raise NotAllowed(
            action=action.value, role=actor.role.value, needs="the whole city's account"
        )
    if may.power is not None and may.power not in about.powers:
        raise NotAllowed(action=action.value, role=actor.role.value, needs_power=may.power)
    if may.not_own_entry and about.entered_by is not None and about.entered_by == actor.user_id:
        raise SecondPersonNeeded(action=action.value, role=actor.role.value)


def allows(actor: Actor, action: Action, about: About = NOTHING) -> bool:
    """Say whether ``require`` would return; for buttons, never instead of ``require``."""
    try:
        require(actor, action, about)
    except (NotAllowed, NotFound):
        return False
    return True


_HOME = {Field.NAME, Field.PHONE, Field.ADDRESS, Field.DOOR_NOTES}

FIELDS: dict[Role, frozenset[Field]] = {
    E: frozenset({*_HOME, Field.ABILITY, Field.MONEY, Field.EVIDENCE, Field.ID_NUMBER_MASKED}),
    F: frozenset(_HOME),
    H: frozenset({*_HOME, Field.MONEY, Field.ID_NUMBER_MASKED}),
    C: frozenset({*_HOME, Field.ABILITY, Field.INCOME, Field.MONEY, Field.ID_NUMBER_MASKED}),
    V: frozenset(),
    G: frozenset(),
    S: frozenset(
        {*_HOME, Field.ABILITY, Field.INCOME, Field.MONEY, Field.EVIDENCE, Field.ID_NUMBER_MASKED}
    ),
    B: frozenset(
        {*_HOME, Field.ABILITY, Field.INCOME, Field.MONEY, Field.EVIDENCE, Field.ID_NUMBER_MASKED}
    ),
    A: frozenset({Field.MONEY, Field.EVIDENCE}),
    SYS: frozenset(Field),
}
"""What a role always sees of what it reaches. The full identity number stands in no list: it is
shown by a step of its own that asks a reason and is logged."""

FIELDS_ONCE_ACCEPTED: dict[Role, frozenset[Field]] = {
    V: frozenset({*_HOME, Field.EVIDENCE}),
    G: frozenset(_HOME),
}
"""Vendors see a home only after they accepted, caregivers only after the job is theirs; neither ever
sees income, ability or purses."""


def fields(actor: Actor, *, powers: frozenset[str] = frozenset(), accepted: bool) -> frozenset[str]:
    """Return the groups of fields that the actor sees of one object in reach."""
    shown = FIELDS[actor.role]
    if actor.role is Role.FAMILY:
        if "see_money" in powers:
            shown |= {Field.MONEY}
        if "see_visits" in powers:
            shown |= {Field.EVIDENCE}
    if accepted:
        shown |= FIELDS_ONCE_ACCEPTED.get(actor.role, frozenset())
    return frozenset(f.value for f in shown)


def scope(actor: Actor, action: Action) -> Scope:
    """Return the rows and fields that a list for this actor may hold; raises ``NotAllowed``.

    A family's list holds the elders in ``actor.elder_ids``; whoever builds that actor for an action
    that needs a power leaves out elders who did not give it.
    """
    may = TABLE[action].get(actor.role)
    if may is None:
        raise NotAllowed(action=action.value, role=actor.role.value)
    always = fields(actor, accepted=False)
    accepted = fields(actor, accepted=True)
    shown = {"fields": always, "fields_once_accepted": accepted}
    if may.reach is _anywhere:
        return Scope(everything=True, **shown)
    if may.reach is _own:
        return Scope(elder_ids=actor.elder_ids, **shown)
    if may.reach is _in_town:
        return Scope(town_code=actor.town_code or "-", **shown)
    if may.reach is _in_district:
        own = district_of(actor)
        return Scope(everything=own is None, district_code=own, **shown)
    if may.reach is _own_job:
        return Scope(caregiver_id=actor.caregiver_id or "-", **shown)
    return Scope(vendor_id=actor.vendor_id or "-", **shown)
