"""A telephone system tells that an operator's telephone rings; that operator's console opens the card."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint
from flask import current_app, url_for
from pydantic import BaseModel, ConfigDict, Field

from marketplace.kernel.actor import Role
from marketplace.kernel.errors import NotFound
from marketplace.web.at_hand import ports
from marketplace.web.auth import allow, current_actor
from marketplace.web.pages.live import ring_topic

bp = APIBlueprint("api_rings", __name__, url_prefix="/api/v1", tag="Hotline")


class Ring(BaseModel):
    """Who rings, at whose desk, and the telephone system's own number of the call."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    phone: str = Field(min_length=7, max_length=20, pattern=r"^\+?[0-9 \-]+$")
    operator: str | None = Field(default=None, max_length=80, description="name for signing in")
    call: str | None = Field(default=None, max_length=60, pattern=r"^[A-Za-z0-9_.\-]+$")


class RingOut(BaseModel):
    """The address that the console opens; a telephone system without events may open it itself."""

    url: str


@bp.post("/rings")
@bp.input(Ring)
@bp.output(RingOut, status_code=202)
@allow(Role.HOTLINE)
def ring(json_data: Ring) -> Any:
    """Tell the console of an operator (else of the token's own account) that somebody rings."""
    account_id = current_actor().user_id
    if json_data.operator is not None:
        found = current_app.extensions["accounts"].find_user(username=json_data.operator.lower())
        if found is None or Role.HOTLINE.value not in {r.name for r in found.roles}:
            raise NotFound(kind="operator", id=json_data.operator)
        account_id = found.id
    url = url_for("hotline.console", phone=json_data.phone, call=json_data.call)
    feed = ports().live
    feed.publish(ring_topic(account_id), {"ring": {"url": url, "phone": json_data.phone[-4:]}})
    return RingOut(url=url)
