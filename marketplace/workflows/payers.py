"""Who pays, as far as a reader may know: a programme's name tells of income and ability."""

from __future__ import annotations

from collections.abc import Mapping

from marketplace.kernel.actor import Actor
from marketplace.vouchers.programmes import OWN
from marketplace.workflows import policy
from marketplace.workflows.policy import Field

GOVERNMENT = "government"
"""Stands for every programme where only its sum may be known."""


def sees_payers(actor: Actor, powers: frozenset[str]) -> bool:
    """Say whether the actor may know which programme pays, and what remains of it."""
    shown = policy.fields(actor, powers=powers, accepted=False)
    return Field.MONEY.value in shown


def merged(by_programme: Mapping[str, int]) -> dict[str, int]:
    """Return what the government and what the elder pays, without those that pay nothing."""
    own = by_programme.get(OWN, 0)
    rest = sum(by_programme.values()) - own
    return {code: fen for code, fen in ((GOVERNMENT, rest), (OWN, own)) if fen}
