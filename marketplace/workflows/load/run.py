"""Preview a folder, then load it: each file in one transaction, all of its accepted rows or none.

The preview reads every row once and keeps what is new or changed in a temporary file, so that a
register of a whole city needs little memory. Loading the same folder again changes nothing.
"""

from __future__ import annotations

import pickle
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import IO, Any

from pydantic import ValidationError
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from marketplace.kernel import audit
from marketplace.kernel.actor import Actor
from marketplace.kernel.clock import local
from marketplace.kernel.db import transaction
from marketplace.kernel.errors import Conflict, NotFound
from marketplace.kernel.ports import Ports
from marketplace.workflows.load import listed, register
from marketplace.workflows.load.callers import Callers, read_callers
from marketplace.workflows.load.kind import Context, Kind, sha
from marketplace.workflows.load.reading import find, read
from marketplace.workflows.load.refusals import Refusal, RowRefused, shown
from marketplace.workflows.load.rows import FileRow, OrderFileRow
from marketplace.workflows.policy import Action, require

CHUNK = 5_000
AHEAD = timedelta(days=14)
"""Work orders of recurring plans are made this far ahead when the plan is loaded."""

Tick = Callable[[str, int], None]


class RegisterChanged(Conflict):
    """Somebody wrote the same register since the preview; nothing of the file was written."""


@dataclass
class FilePreview:
    """What loading one file would do. ``spool`` holds its new and changed rows in chunks."""

    name: str
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    refused: list[Refusal] = field(default_factory=list)
    unusable: bool = False
    spool: IO[bytes] | None = None

    @property
    def to_write(self) -> int:
        return self.new + self.changed


@dataclass
class Preview:
    """What loading a folder would do, file by file, in the order of loading.

    ``callers.found``: numbers of the register that are callers of the hotline, whose files they join.
    """

    folder: Path
    files: list[FilePreview]
    callers: Callers = field(default_factory=Callers)

    @property
    def refused(self) -> list[Refusal]:
        return [r for f in self.files for r in f.refused]

    @property
    def to_write(self) -> int:
        return sum(f.to_write for f in self.files)


@dataclass(frozen=True, slots=True)
class Loaded:
    """What was written of one file."""

    name: str
    new: int
    changed: int
    work_orders: int = 0


def preview(
    session: Session, ports: Ports, actor: Actor, folder: Path, *, tick: Tick | None = None
) -> Preview:
    """Read a folder and say what loading it would do; writes nothing.

    Raises ``NotFound`` when the folder holds none of the files.
    """
    require(actor, Action.LOAD)
    now = ports.clock.now()
    context = Context(session, ports, now, local(now).date())
    context.known["category"] = register.known_categories(session)
    context.callers = read_callers(session)
    files: list[FilePreview] = []
    for kind in (*register.kinds(ports), listed.KIND):
        path = find(folder, kind.name)
        stored = kind.stored(session) if path or kind.registers else {}
        if kind.registers:
            context.known[kind.registers] = set(stored)
        if path is not None:
            kind.prepare(context)
            files.append(_preview_file(context, kind, path, stored, tick))
            if kind.name == "elders":
                context.people.clear()
    if not files:
        raise NotFound(field="folder", kind_of="folder", id=str(folder))
    session.rollback()
    return Preview(folder, files, context.callers)


def _preview_file(
    context: Context, kind: Kind, path: Path, stored: dict[str, str], tick: Tick | None
) -> FilePreview:
    done = FilePreview(kind.name, spool=tempfile.TemporaryFile())  # noqa: SIM115 - lives as long as the preview
    seen: dict[str, int] = {}
    new: list[tuple[int, FileRow]] = []
    changed: list[tuple[int, FileRow]] = []
    for n, row in enumerate(read(path, tuple(kind.model.model_fields)), start=1):
        if tick and n % 1_000 == 0:
            tick(kind.name, 1_000)
        if isinstance(row, Refusal):
            done.refused.append(row)
            done.unusable |= row.line == 0
            continue
        try:
            parsed = kind.settle(context, _parse(kind, row.cells, context))
            key = parsed.key()
            if key in seen:
                raise RowRefused(kind.model.KEY[0], "twice_in_file", key, "one_row", line=seen[key])
            kind.check(context, parsed)
        except RowRefused as no:
            done.refused.append(
                Refusal(path.name, row.line, no.field, no.code, no.value, no.expected, no.facts)
            )
            continue
        seen[key] = row.line
        if kind.registers:
            context.known[kind.registers].add(key)
        before = stored.get(key)
        if before is None:
            new.append((row.line, parsed))
        elif before != sha(parsed):
            changed.append((row.line, parsed))
        else:
            done.unchanged += 1
        if len(new) + len(changed) >= CHUNK:
            _spool(done, new, changed)
            new, changed = [], []
    _spool(done, new, changed)
    return done


def _parse(kind: Kind, cells: dict[str, str], context: Context) -> FileRow:
    try:
        row = kind.model.model_validate(cells)
    except ValidationError as wrong:
        first = wrong.errors(include_url=False)[0]
        name = str(first["loc"][0]) if first["loc"] else "*"
        expected = str(first.get("ctx", {}).get("expected", ""))
        raise RowRefused(name, first["type"], shown(cells.get(name, "")), expected) from None
    row.check(context.today)
    return row


def _spool(
    done: FilePreview, new: list[tuple[int, FileRow]], changed: list[tuple[int, FileRow]]
) -> None:
    if not new and not changed:
        return
    done.new += len(new)
    done.changed += len(changed)
    assert done.spool is not None
    plain = [[(line, dict(row)) for line, row in rows] for rows in (new, changed)]
    pickle.dump(plain, done.spool, protocol=pickle.HIGHEST_PROTOCOL)


def _chunks(
    done: FilePreview, model: type[FileRow]
) -> Iterator[tuple[list[tuple[int, Any]], list[tuple[int, Any]]]]:
    assert done.spool is not None
    done.spool.seek(0)
    while True:
        try:
            plain = pickle.load(done.spool)  # noqa: S301 - our own temporary file, never a given one
        except EOFError:
            return
        new, changed = (
            [(line, model.model_construct(**cells)) for line, cells in rows] for rows in plain
        )
        yield new, changed


def apply(
    session: Session,
    ports: Ports,
    actor: Actor,
    plan: Preview,
    *,
    tick: Tick | None = None,
    ahead: timedelta = AHEAD,
) -> list[Loaded]:
    """Load what the preview found, each file in one transaction; return what was written.

    Work orders of recurring plans are made up to ``ahead`` of today; upkeep makes the later ones.

    Rows of orders are held against the order rules here, when the registers that they name are
    stored: what those refuse is added to the preview's refusals. Raises ``RegisterChanged``.
    """
    require(actor, Action.LOAD)
    now = ports.clock.now()
    context = Context(session, ports, now, local(now).date(), callers=plan.callers)
    written: list[Loaded] = []
    for file in plan.files:
        if file.to_write == 0:
            continue
        try:
            if file.name == listed.KIND.name:
                written.append(_apply_orders(context, actor, file, tick, ahead))
            else:
                written.append(_apply_register(context, actor, file, tick))
        except IntegrityError as clash:
            raise RegisterChanged(file=file.name) from clash
    return written


def _apply_register(context: Context, actor: Actor, file: FilePreview, tick: Tick | None) -> Loaded:
    kind = next(k for k in register.kinds(context.ports) if k.name == file.name)
    with transaction(context.session):
        for new, changed in _chunks(file, kind.model):
            kind.write(context, [r for _, r in new], [r for _, r in changed])
            if tick:
                tick(file.name, len(new) + len(changed))
        joined = context.callers.found if kind.name == "elders" else {}
        for number, elder_id in sorted(joined.items()):
            audit.record(
                context.session,
                at=context.now,
                actor=actor,
                action="join_caller",
                subject_kind="elder",
                subject_id=elder_id,
                register_id=number,
            )
        _audit(context, actor, file, new=file.new, changed=file.changed)
    return Loaded(file.name, file.new, file.changed)


def _apply_orders(
    context: Context, actor: Actor, file: FilePreview, tick: Tick | None, ahead: timedelta
) -> Loaded:
    rows = [row for new, _ in _chunks(file, OrderFileRow) for row in new]
    until = context.today + ahead
    with transaction(context.session):
        accepted, refused = listed.sift(context, rows)
        file.refused += refused
        file.new = len(accepted)
        added = listed.add(
            context,
            accepted,
            actor=actor,
            until=until,
            tick=(lambda n: tick(file.name, n)) if tick else None,
        )
        _audit(context, actor, file, new=added.orders, work_orders=added.work_orders)
    return Loaded(file.name, added.orders, 0, added.work_orders)


def _audit(context: Context, actor: Actor, file: FilePreview, **facts: int) -> None:
    audit.record(
        context.session,
        at=context.now,
        actor=actor,
        action="load",
        subject_kind="register",
        subject_id=file.name,
        refused=len(file.refused),
        **facts,
    )
