"""The programmes for screens: what is in force, its versions, and changes that wait for a release."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from pydantic import TypeAdapter
from sqlalchemy import select
from sqlalchemy.orm import Session

from marketplace.kernel.errors import NotFound
from marketplace.vouchers import changes
from marketplace.vouchers.changes import Difference, condition_text
from marketplace.vouchers.models import ProgrammeChange
from marketplace.vouchers.programmes import UnknownProgramme
from marketplace.vouchers.terms import NUMBERS, Terms
from marketplace.vouchers.trial import Trial


@dataclass(frozen=True, slots=True)
class ProgrammeLine:
    """One programme on a day. ``valid_from`` of the version in force (``None`` before the first),
    ``next_from`` of the one that is released to come."""

    code: str
    name_zh: str
    name_en: str
    slot: str
    kind: str
    grant: str
    unit: str
    valid_from: date | None
    next_from: date | None
    tiers: tuple[str, ...]
    budget_fen_per_year: int


@dataclass(frozen=True, slots=True)
class TierView:
    """A benefit row: ``amount`` in the programme's unit a period, or ``per_item_fen``."""

    name: str
    amount: int
    per_item_fen: int
    when: tuple[str, ...]
    source: str


@dataclass(frozen=True, slots=True)
class Rule:
    """One condition in a line (``age at_least 60``) and where it comes from."""

    text: str
    source: str


@dataclass(frozen=True, slots=True)
class VersionView:
    """A version of a programme in one district, or in the whole city (``district_code`` empty).

    ``values``: name, value, source of each plain value.
    """

    valid_from: date
    district_code: str
    who: tuple[Rule, ...]
    tiers: tuple[TierView, ...]
    values: tuple[tuple[str, int, str], ...]
    services_source: str


@dataclass(frozen=True, slots=True)
class ProgrammeView:
    """A programme with every version, the districts' own beside the city's."""

    code: str
    name_zh: str
    name_en: str
    slot: str
    kind: str
    grant: str
    unit: str
    versions: tuple[VersionView, ...]


@dataclass(frozen=True, slots=True)
class ChangeLine:
    """A change in a list: who proposed it, who released it, and what its trial says in short."""

    id: str
    programme_code: str
    valid_from: date
    state: str
    reason: str
    proposed_by: str
    proposed_at: datetime
    released_by: str | None
    released_at: datetime | None
    gaining: int
    losing: int
    public_fen: int


@dataclass(frozen=True, slots=True)
class ChangeView:
    """A change with its file, what it moves and its trial."""

    line: ChangeLine
    content: str
    sha256: str
    differences: tuple[Difference, ...]
    trial: Trial


def programmes(session: Session, on: date) -> tuple[ProgrammeLine, ...]:
    """Return every programme as it stands on a day, in the order of their codes."""
    book = changes.book(session)
    lines = []
    for code in book.codes():
        versions = book.versions(code)
        past = [t for t in versions if t.valid_from <= on]
        to_come = [t for t in versions if t.valid_from > on]
        terms = past[-1] if past else versions[0]
        lines.append(
            ProgrammeLine(
                code=code,
                name_zh=terms.name_zh,
                name_en=terms.name_en,
                slot=terms.slot,
                kind=terms.kind,
                grant=terms.grant,
                unit=terms.unit,
                valid_from=terms.valid_from if past else None,
                next_from=to_come[0].valid_from if to_come else None,
                tiers=tuple(t.name for t in terms.tiers),
                budget_fen_per_year=terms.budget_fen_per_year,
            )
        )
    return tuple(lines)


def programme(session: Session, code: str) -> ProgrammeView:
    """Return one programme with all versions; raises ``NotFound``."""
    book = changes.book(session)
    content = book.content(code)
    if content is None:
        raise NotFound(kind="programme", id=code)
    views = []
    for row in content["version"]:
        for district in ("", *sorted(row.get("district", {}))):
            terms = book.terms_of(code, row["valid_from"], district or None)
            views.append(_version(terms, district))
    terms = book.versions(code)[-1]
    return ProgrammeView(
        code=code,
        name_zh=terms.name_zh,
        name_en=terms.name_en,
        slot=terms.slot,
        kind=terms.kind,
        grant=terms.grant,
        unit=terms.unit,
        versions=tuple(sorted(views, key=lambda v: (v.valid_from, v.district_code))),
    )


def programme_file(session: Session, code: str) -> str:
    """Return a programme's TOML file as it holds now, to begin a change with; raises ``NotFound``."""
    try:
        return changes.file_of(session, code)
    except UnknownProgramme as error:
        raise NotFound(kind="programme", id=code) from error


def _version(terms: Terms, district_code: str) -> VersionView:
    return VersionView(
        valid_from=terms.valid_from,
        district_code=district_code,
        who=tuple(Rule(condition_text(c), c.source) for c in terms.who),
        tiers=tuple(
            TierView(
                t.name, t.amount, t.per_item_fen, tuple(condition_text(c) for c in t.when), t.source
            )
            for t in terms.tiers
        ),
        values=tuple(
            (name, int(getattr(terms, name)), terms.sources[name])
            for name in NUMBERS
            if name in terms.sources
        ),
        services_source=terms.sources["services"],
    )


def programme_changes(session: Session, *, state: str | None = None) -> tuple[ChangeLine, ...]:
    """Return changes, the last proposed first; of one ``state`` where it is given."""
    query = select(ProgrammeChange).order_by(
        ProgrammeChange.proposed_at.desc(), ProgrammeChange.id.desc()
    )
    if state is not None:
        query = query.where(ProgrammeChange.state == state)
    return tuple(_line(row) for row in session.scalars(query))


def programme_change(session: Session, change_id: str) -> ChangeView:
    """Return one change with its trial; raises ``NotFound``."""
    row = session.get(ProgrammeChange, change_id)
    if row is None:
        raise NotFound(kind="programme_change", id=change_id)
    return ChangeView(
        line=_line(row),
        content=row.content,
        sha256=row.content_sha256,
        differences=_DIFFERENCES.validate_python(row.trial["differences"]),
        trial=_TRIAL.validate_python(row.trial["trial"]),
    )


_TRIAL = TypeAdapter(Trial)
_DIFFERENCES = TypeAdapter(tuple[Difference, ...])


def _line(row: ProgrammeChange) -> ChangeLine:
    trial = _TRIAL.validate_python(row.trial["trial"])
    return ChangeLine(
        id=row.id,
        programme_code=row.programme_code,
        valid_from=row.valid_from,
        state=row.state,
        reason=row.reason,
        proposed_by=row.proposed_by,
        proposed_at=row.proposed_at,
        released_by=row.released_by,
        released_at=row.released_at,
        gaining=trial.gaining,
        losing=trial.losing,
        public_fen=trial.public_fen,
    )
