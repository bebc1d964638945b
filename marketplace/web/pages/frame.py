"""What stands around every page: who is signed in, the way to the other pages, type size, language."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from apiflask import APIFlask
from flask import current_app, flash, g, request, url_for
from flask_babel import lazy_gettext as _l
from flask_login import current_user

from marketplace.accounts.demo import DEMO_PASSWORD, DEMO_ROLES
from marketplace.config import Settings
from marketplace.kernel.actor import Role
from marketplace.kernel.clock import second_of
from marketplace.kernel.errors import DomainError
from marketplace.web.at_hand import ports, session
from marketplace.web.auth import current_actor
from marketplace.web.formats import cny, is_chinese, now, today_here, yuan
from marketplace.web.words.money import CHECKS, ENTRY_KINDS, MONEY_STATES, programme_word
from marketplace.web.words.people import ROLES
from marketplace.web.words.planning import help_words, relaxed_words, remaining_words
from marketplace.web.words.refusals import unmarked_sentence
from marketplace.web.words.visits import CHANNELS, STATES, proof_word, rule_word, unit_word

Done = TypeVar("Done")

_PLAN = ("bureau.plan_page", _l("Plan"))
_SERVICES = ("ordering.storefront", _l("Services"))
_MONEY = ("money.money_page", _l("Money"))
_BOARD = ("board.page", _l("Board"))
_TODAY = ("bureau.today_page", _l("Today"))

_CASES = ("cases.page", _l("Cases"))
_GRANTS = ("grants.page", _l("Grants"))
_PROGRAMMES = ("programmes.page", _l("Programmes"))
_SETTLEMENT = ("settlement.page", _l("Settlement"))
_MESSAGES = ("messages.page", _l("Messages"))
_PAPER = ("paper.page", _l("Paper slips"))
_FAIRNESS = ("fairness.page", _l("Fairness"))

NAV: dict[Role, list[tuple[str, Any]]] = {
    Role.BUREAU: [
        _TODAY,
        _BOARD,
        _PLAN,
        _CASES,
        _GRANTS,
        _PROGRAMMES,
        _SETTLEMENT,
        _FAIRNESS,
        _MONEY,
        _MESSAGES,
    ],
    Role.STREET: [_TODAY, _BOARD, _PLAN, _CASES, _PAPER, _SETTLEMENT, _FAIRNESS, _MESSAGES],
    Role.AUDITOR: [_MONEY, _SETTLEMENT, _PROGRAMMES, _FAIRNESS, _TODAY, _BOARD, _PLAN],
    Role.VENDOR: [
        ("vendor.today_page", _l("Today")),
        _BOARD,
        ("vendor_people.people_page", _l("People and shifts")),
        ("vendor_money.money_page", _l("Money")),
        ("vendor_money.fair_page", _l("Fair share")),
        _MESSAGES,
    ],
    Role.HOTLINE: [("hotline.console", _l("Console")), _SERVICES, _PLAN, _PAPER, _MESSAGES],
    Role.COMMUNITY: [_SERVICES, _PAPER],
}
"""Endpoint and word of each entry of a role's main navigation."""

HOME: dict[Role, str] = {
    Role.BUREAU: "bureau.today_page",
    Role.STREET: "bureau.today_page",
    Role.AUDITOR: "money.money_page",
    Role.VENDOR: "vendor.today_page",
    Role.ELDER: "elder.home",
    Role.FAMILY: "elder.home",
    Role.HOTLINE: "hotline.console",
    Role.COMMUNITY: "ordering.storefront",
    Role.CAREGIVER: "caregiver.next_page",
}
"""The endpoint of a role's first page."""

_DEMO_SEES: dict[str, Any] = {
    "elder": _l("who comes, what is left, order again"),
    "family": _l("the same, for a parent in another city"),
    "hotline": _l("one screen, by keyboard"),
    "community": _l("order on behalf, with the authority recorded"),
    "vendor": _l("today's offers, people, money"),
    "caregiver": _l("only the next visit, works without a signal"),
    "street": _l("its own streets"),
    "bureau": _l("five numbers and what needs a person"),
    "auditor": _l("any fen back to the visit, read only"),
}


@dataclass(frozen=True, slots=True)
class NavItem:
    """One entry of the main navigation."""

    url: str
    word: str
    here: bool


@dataclass(frozen=True, slots=True)
class Me:
    """Who is signed in, as the top bar shows it."""

    name: str
    role: Role
    role_word: str
    place: str


@dataclass(frozen=True, slots=True)
class Look:
    """Type size and contrast, as chosen on this device."""

    larger: bool
    high: bool


@dataclass(frozen=True, slots=True)
class DemoRole:
    """One sign-in of a demonstration."""

    name: str
    word: str
    sees: str


def form_key() -> str:
    """Return the key that the page put into its form: the same form sent twice is one command."""
    return request.form.get("key", "")


def write(step: Callable[..., Done], asked: Any) -> Done:
    """Run one workflow step for the form, once for its key."""
    return step(session(), ports(), current_actor(), key=form_key(), request=asked)


@contextmanager
def say_refusal(sentence: Callable[[DomainError], str] = unmarked_sentence) -> Iterator[None]:
    """Take a step; where it is refused, undo it and say why on the next page."""
    try:
        yield
    except DomainError as refused:
        session().rollback()
        flash(sentence(refused), "stop")


def home_of(role: Role) -> str:
    """Return the address of a role's first page."""
    endpoint = HOME.get(role, "")
    here = endpoint in current_app.view_functions
    return url_for(endpoint if here else "ordering.storefront")


def signed_in_role() -> Role | None:
    """Return the role of who is signed in."""
    if "database_away" in g or not current_user.is_authenticated:
        return None
    names = {row.name for row in current_user.roles}
    return next((r for r in Role if r.value in names), None)


def register(app: APIFlask) -> None:
    """Give every template the frame's values."""
    app.context_processor(_frame)
    app.jinja_env.filters["programme_name"] = programme_word


def _frame() -> dict[str, Any]:
    settings: Settings = current_app.extensions["settings"]
    role = signed_in_role()
    chosen = request.cookies.get("look", "").split("-")
    frame: dict[str, Any] = {
        "look": Look(larger="larger" in chosen, high="high" in chosen),
        "me": None,
        "nav": [],
        "state_word": STATES.__getitem__,
        "remaining_words": remaining_words,
        "relaxed_words": relaxed_words,
        "help_words": help_words,
        "unit_word": unit_word,
        "programme_word": programme_word,
        "rule_word": rule_word,
        "proof_word": proof_word,
        "channel_word": lambda code: CHANNELS.get(code, code),
        "money_state_word": MONEY_STATES.__getitem__,
        "entry_word": ENTRY_KINDS.__getitem__,
        "check_word": CHECKS.__getitem__,
        "money": yuan if role in (None, Role.ELDER, Role.FAMILY) else cny,
        "now_s": second_of(today_here(), now()),
        "endpoints": current_app.view_functions,
        "comma": "，" if is_chinese() else ", ",
        "demo": settings.demo,
        "demo_roles": [],
        "demo_password": DEMO_PASSWORD,
    }
    if role is not None:
        word = str(ROLES[role.value])
        frame["me"] = Me(name=current_user.display_name, role=role, role_word=word, place=word)
        frame["nav"] = [
            NavItem(url=url_for(endpoint), word=str(text), here=endpoint == request.endpoint)
            for endpoint, text in NAV.get(role, [])
            if endpoint in current_app.view_functions
        ]
    elif settings.demo:
        frame["demo_roles"] = [
            DemoRole(name=r.value, word=str(ROLES[r.value]), sees=str(_DEMO_SEES[r.value]))
            for r in DEMO_ROLES
        ]
    return frame
