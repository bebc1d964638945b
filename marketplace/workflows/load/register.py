"""The files of the register, in the order in which they lean on one another."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from marketplace.catalogue.models import Category
from marketplace.kernel.ports import Ports
from marketplace.workflows.load import persons, supply
from marketplace.workflows.load.kind import Kind


def kinds(ports: Ports) -> tuple[Kind, ...]:
    """Return the register files in the order in which they lean on one another."""
    return (*supply.KINDS, *persons.kinds(ports))


def known_categories(session: Session) -> set[str]:
    """Return the codes of the published categories."""
    return set(session.scalars(select(Category.code)))
