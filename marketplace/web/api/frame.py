"""What every handler of the API shares: the command key, the session, the ports, the actor."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar

from flask import request

from marketplace.kernel.clock import Period
from marketplace.kernel.errors import BadInput
from marketplace.web.at_hand import ports, session
from marketplace.web.auth import EVERYONE, allow, current_actor
from marketplace.workflows.policy import Action, roles_of

F = TypeVar("F", bound=Callable[..., Any])
KEY = re.compile(r"[\x21-\x7e]{8,200}")
KEY_HEADER = "Idempotency-Key"


def for_action(action: Action) -> Callable[[F], F]:
    """Declare a route open to the roles that may do the action to at least some object."""
    return allow(*sorted(roles_of(action) & EVERYONE))


def command_key() -> str:
    """Return the client's key of this write; raises ``BadInput`` where there is none."""
    key = request.headers.get(KEY_HEADER, "")
    if not KEY.fullmatch(key):
        raise BadInput(
            field=KEY_HEADER, value=key[:40], expected="8 to 200 printable ASCII characters"
        )
    return key


def write(step: Callable[..., Any], asked: Any) -> Any:
    """Run one workflow step for the request, once for its key."""
    return step(session(), ports(), current_actor(), key=command_key(), request=asked)


def period_of(text: str) -> Period:
    """Return the month of a path; raises ``BadInput``."""
    try:
        period = Period.parse(text)
    except (ValueError, OverflowError):
        period = None
    if period is None or not 2000 <= period.year <= 2099 or str(period) != text:
        raise BadInput(field="period", value=text[:40], expected="a month such as 2026-11")
    return period
