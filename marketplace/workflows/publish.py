"""Publish a catalogue: new services, and new prices from a date on."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.orm import Session

from marketplace.catalogue import rules, service
from marketplace.catalogue.rules import CategoryRow, ServiceRow
from marketplace.kernel import audit
from marketplace.kernel.actor import Actor
from marketplace.kernel.db import transaction
from marketplace.kernel.errors import DomainError
from marketplace.kernel.ports import Ports


class CatalogueUnsound(DomainError):
    """The catalogue did not pass its check. Facts: ``findings``."""

    kind = "bad_input"


def check_packaged() -> tuple[int, int, list[rules.Finding]]:
    """Return how many categories and services the product carries, and what is wrong with them."""
    categories, services = service.packaged()
    return (
        len({c.code for c in categories}),
        len({s.code for s in services}),
        rules.check(categories, services),
    )


def publish_packaged(session: Session, ports: Ports, actor: Actor) -> service.Published:
    """Publish the catalogue that the product carries; a second time changes nothing."""
    return publish(session, ports, actor, *service.packaged())


def publish(
    session: Session,
    ports: Ports,
    actor: Actor,
    categories: Sequence[CategoryRow],
    services: Sequence[ServiceRow],
) -> service.Published:
    """Publish checked rows, all or none. Raises ``CatalogueUnsound`` or ``VersionIsPublished``."""
    findings = rules.check(categories, services)
    if findings:
        raise CatalogueUnsound(
            findings=[f"{f.code}.{f.field}: {f.problem}; {f.cure}" for f in findings]
        )
    with transaction(session):
        done = service.publish(session, categories, services)
        if done.new_versions or done.categories:
            audit.record(
                session,
                at=ports.clock.now(),
                actor=actor,
                action="publish_catalogue",
                subject_kind="catalogue",
                subject_id="services",
                new_versions=done.new_versions,
            )
        return done
