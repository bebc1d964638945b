"""The files of those who are served: elders, their families, whom they refused."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

from pypinyin import Style, lazy_pinyin
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from marketplace.elders import history, witness
from marketplace.elders.models import Assessment, CaregiverRefusal, Elder, FamilyLink
from marketplace.kernel.ids import new_id
from marketplace.kernel.ports import Ports
from marketplace.workflows.load.callers import settled, with_ours
from marketplace.workflows.load.kind import (
    Context,
    Kind,
    Values,
    hashes,
    needs,
    same_rows,
    sealed_phone,
    sha,
    write_rows,
)
from marketplace.workflows.load.refusals import RowRefused
from marketplace.workflows.load.rows import (
    ElderRow,
    FamilyRow,
    FileRow,
    RefusalRow,
)


def _prepare_elders(context: Context) -> None:
    for elder_id, index in context.session.execute(select(Elder.id, Elder.id_number_index)):
        context.people[bytes.fromhex(index)[:16]] = elder_id


def _settle_elder(context: Context, row: ElderRow) -> ElderRow:
    return settled(context.callers, context.ports.vault, row, context.known["elder"])


def settle_elder_of(context: Context, row: FileRow) -> Any:
    """Return a row about an elder with our number of the elder."""
    return with_ours(context.callers, row, "elder_id")


def _check_elder(context: Context, row: ElderRow) -> None:
    context.locate(row)
    person = bytes.fromhex(context.ports.vault.index(row.id_number))[:16]
    other = context.people.setdefault(person, row.id)
    if other != row.id:
        raise RowRefused(
            "id_number", "person_twice", row.id_number[-4:], "one_row_a_person", id=other
        )


def _write_elders(context: Context, new: Sequence[ElderRow], changed: Sequence[ElderRow]) -> None:
    since = _status_dates(context, changed)
    before = _fact_columns(context, [r.id for r in changed])
    values = {r.id: _elder_values(context, r, since.get(r.id)) for r in (*new, *changed)}
    _keep_the_dead(context, values, before)
    write_rows(context, Elder, values.values())
    witness.record_elders(context.session, values.values(), at=context.now)
    history.note_changes(
        context.session,
        before,
        {r.id: values[r.id] for r in changed},
        today=context.today,
        source="elders file",
        at=context.now,
        by="load",
    )
    assessed = [r for r in (*new, *changed) if r.assessed_on is not None]
    ids = [r.id for r in changed]
    kept: dict[tuple[str, date], str] = {}
    if ids:
        rows = context.session.execute(
            select(Assessment.elder_id, Assessment.assessed_on, Assessment.id).where(
                Assessment.elder_id.in_(ids)
            )
        )
        kept = {(r[0], r[1]): r[2] for r in rows}
    fresh = [_assessment(r, new_id()) for r in assessed if (r.id, r.assessed_on) not in kept]
    again = [
        _assessment(r, kept[(r.id, r.assessed_on)])
        for r in assessed
        if r.assessed_on is not None and (r.id, r.assessed_on) in kept
    ]
    write_rows(context, Assessment, [*fresh, *again])
    witness.record(context.session, "assessment", [*fresh, *again], at=context.now)


def _fact_columns(context: Context, ids: Sequence[str]) -> dict[str, Values]:
    """Return what the register says of elders that a file changes."""
    columns = [Elder.__table__.c[name] for name in ("id", "status_from", *history.NAMES)]
    rows = context.session.execute(select(*columns).where(Elder.id.in_(list(ids))))
    return {r.id: dict(r._mapping) for r in rows}


def _keep_the_dead(context: Context, values: dict[str, Values], before: dict[str, Values]) -> None:
    """Leave dead whom the list of deaths named: an older list of elders brings nobody back."""
    dead = [i for i, v in before.items() if v["status"] == "dead" and values[i]["status"] != "dead"]
    known = history.as_of(context.session, dead, context.today)
    for elder_id in dead:
        status = known.get(elder_id, {}).get("status")
        if status is not None and status.source.startswith("deaths"):
            values[elder_id] |= {k: before[elder_id][k] for k in ("status", "status_from")}


def _status_dates(context: Context, changed: Sequence[ElderRow]) -> dict[str, date | None]:
    """Return since when those whose status the file leaves as it is have had it."""
    status = {r.id: r.status for r in changed}
    rows = context.session.execute(
        select(Elder.id, Elder.status, Elder.status_from).where(Elder.id.in_(list(status)))
    )
    return {r[0]: r[2] for r in rows if status[r[0]] == r[1]}


def _elder_values(context: Context, row: ElderRow, since: date | None) -> Values:
    at = context.locate(row)
    vault = context.ports.vault
    return {
        "id": row.id,
        "name": row.name,
        "initials": "".join(lazy_pinyin(row.name, style=Style.FIRST_LETTER, errors="ignore"))[:20],
        "gender": row.gender,
        "born_on": row.born_on,
        "id_number_sealed": vault.seal(row.id_number),
        "id_number_index": vault.index(row.id_number),
        **sealed_phone(context, row.phone),
        "address": row.address,
        "district_code": at.district_code,
        "town_code": at.town_code,
        "community_code": at.community_code,
        "lat": at.lat,
        "lng": at.lng,
        "location_level": at.level,
        "hukou_local": row.hukou_local,
        "income_class": row.income_class,
        "lives_alone": row.lives_alone,
        "special": ",".join(row.special),
        "door_notes": row.door_notes,
        "status": row.status,
        "status_from": None if row.status == "active" else since or context.today,
        "row_sha256": sha(row),
        "register_id": context.callers.theirs.get(row.id),
        "updated_at": context.now,
    }


def _assessment(row: ElderRow, id_: str) -> Values:
    assert row.assessed_on is not None
    # Valid twelve months: a result from the last twelve months counts for the national voucher.
    first = row.assessed_on
    last = date(first.year + 1, first.month, min(first.day, 28) if first.month == 2 else first.day)
    return {
        "id": id_,
        "elder_id": row.id,
        "assessed_on": first,
        "valid_until": last,
        "score": row.score,
        "level": row.level,
        "assessor": "",
    }


def family_rows(session: Session, ports: Ports) -> Iterable[FamilyRow]:
    """Return the stored families as their file writes them."""
    for f in session.scalars(select(FamilyLink).order_by(FamilyLink.elder_id)):
        yield FamilyRow.model_construct(
            elder_id=f.elder_id,
            name=f.name,
            relation=f.relation,
            phone=None if f.phone_sealed is None else ports.vault.open(f.phone_sealed),
            powers=tuple(p for p in f.powers.split(",") if p),
        )


def _write_families(
    context: Context, new: Sequence[FamilyRow], changed: Sequence[FamilyRow]
) -> None:
    def values(row: FamilyRow) -> Values:
        return {
            "elder_id": row.elder_id,
            "name": row.name,
            "relation": row.relation,
            **sealed_phone(context, row.phone),
            "powers": ",".join(row.powers),
        }

    write_rows(
        context,
        FamilyLink,
        [{"id": new_id(), "confirmed_at": context.now, **values(r)} for r in new],
    )
    for row in changed:
        context.session.execute(
            update(FamilyLink)
            .where(
                FamilyLink.elder_id == row.elder_id,
                FamilyLink.name == row.name,
                FamilyLink.relation == row.relation,
            )
            .values(**values(row))
        )


def refusal_rows(session: Session) -> Iterable[RefusalRow]:
    """Return the refused caregivers as their file writes them."""
    for r in session.scalars(
        select(CaregiverRefusal)
        .where(CaregiverRefusal.withdrawn_at.is_(None))
        .order_by(CaregiverRefusal.elder_id, CaregiverRefusal.caregiver_id)
    ):
        yield RefusalRow.model_construct(
            elder_id=r.elder_id, caregiver_id=r.caregiver_id, reason=r.reason
        )


def _check_refusal(context: Context, row: RefusalRow) -> None:
    context.require("elder", "elder_id", row.elder_id)
    context.require("caregiver", "caregiver_id", row.caregiver_id)


def _write_refusals(
    context: Context, new: Sequence[RefusalRow], changed: Sequence[RefusalRow]
) -> None:
    write_rows(
        context,
        CaregiverRefusal,
        [
            {
                "id": new_id(),
                **dict(r),
                "asked_by": "load",
                "asked_role": "system",
                "asked_at": context.now,
            }
            for r in new
        ],
    )
    for row in changed:
        context.session.execute(
            update(CaregiverRefusal)
            .where(
                CaregiverRefusal.elder_id == row.elder_id,
                CaregiverRefusal.caregiver_id == row.caregiver_id,
                CaregiverRefusal.withdrawn_at.is_(None),
            )
            .values(reason=row.reason)
        )


def kinds(ports: Ports) -> tuple[Kind, ...]:
    """Return these files in the order in which they lean on one another."""
    return (
        Kind(
            "elders",
            ElderRow,
            hashes(Elder),
            _check_elder,
            _write_elders,
            "elder",
            prepare=_prepare_elders,
            settle=_settle_elder,
        ),
        Kind(
            "families",
            FamilyRow,
            same_rows(lambda session: family_rows(session, ports)),
            needs("elder", "elder_id"),
            _write_families,
            settle=settle_elder_of,
        ),
        Kind(
            "refusals",
            RefusalRow,
            same_rows(refusal_rows),
            _check_refusal,
            _write_refusals,
            settle=settle_elder_of,
        ),
    )
