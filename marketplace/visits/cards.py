"""Cards and printed codes of elders without a smartphone: issued, read, revoked.

A code is derived from the data key, its sheet and its place on it, so that a sheet can be printed
once more for the same answer and nothing that opens a door stands in the database.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Row, select, update
from sqlalchemy.orm import Session
from stdnum import luhn

from marketplace.kernel.clock import local
from marketplace.kernel.crypto import Vault
from marketplace.kernel.errors import BadInput, Conflict, NotFound, WrongState
from marketplace.kernel.ids import new_id
from marketplace.visits.models import CardCode, ElderCard

CARD = ElderCard.__table__
CODE = CardCode.__table__

CODE_DIGITS = 10
"""Nine digits and a check digit: a slip of the tongue is told from a wrong code."""

MOST_CODES = 40


class CardTaken(Conflict):
    """The card is bound to an elder already; it is revoked first. Facts: ``tail``."""


class CardUnknown(BadInput):
    """Nobody was given a card or code like that: it was misread. Facts: ``expected``."""


@dataclass(frozen=True, slots=True)
class Read:
    """What reading a card or code said. ``why``: empty where it proves the elder's presence, else
    ``revoked``, ``expired``, ``used`` (for another visit) or ``another_elder``."""

    card_id: str
    elder_id: str
    kind: str
    why: str = ""


def normal(text: str) -> str:
    """Return a card number or code without the spaces and dashes it is printed with."""
    return re.sub(r"[\s-]", "", text).upper()


def _is_code(text: str) -> bool:
    return len(text) == CODE_DIGITS and text.isascii() and text.isdigit()


def issue_card(
    session: Session,
    vault: Vault,
    *,
    elder_id: str,
    number: str,
    valid_until: date,
    at: datetime,
    by: str,
) -> str:
    """Bind a card to an elder by its number; return the card's id. Raises ``BadInput``, ``CardTaken``."""
    plain = normal(number)
    if not re.fullmatch(r"[0-9A-Z]{6,32}", plain) or _is_code(plain):
        raise BadInput(
            field="number",
            value=f"{len(plain)} characters",
            expected="6 to 32 letters or digits, not 10",
        )
    index = vault.index(f"card/{plain}")
    taken = session.scalar(
        select(CARD.c.tail).where(CARD.c.number_index == index, CARD.c.revoked_at.is_(None))
    )
    if taken is not None:
        raise CardTaken(field="number", tail=taken)
    card_id = new_id()
    _add(
        session,
        card_id,
        elder_id,
        "card",
        at=at,
        by=by,
        valid_until=valid_until,
        number_index=index,
        tail=plain[-4:],
    )
    return card_id


def issue_sheet(
    session: Session,
    vault: Vault,
    *,
    elder_id: str,
    codes: int,
    valid_until: date,
    at: datetime,
    by: str,
) -> str:
    """Make a sheet of single-use codes for an elder; return its id. ``codes_of`` gives the codes."""
    if not 1 <= codes <= MOST_CODES:
        raise BadInput(field="codes", value=codes, expected=f"1 to {MOST_CODES}")
    card_id = new_id()
    _add(session, card_id, elder_id, "sheet", at=at, by=by, valid_until=valid_until)
    session.execute(
        CODE.insert(),  # type: ignore[attr-defined]
        [
            {"code_index": _index(vault, code), "card_id": card_id, "position": n}
            for n, code in enumerate(codes_of(vault, card_id, codes), start=1)
        ],
    )
    return card_id


def _add(session: Session, card_id: str, elder_id: str, kind: str, **values: Any) -> None:
    session.execute(
        CARD.insert().values(  # type: ignore[attr-defined]
            id=card_id,
            elder_id=elder_id,
            kind=kind,
            number_index=values.get("number_index"),
            tail=values.get("tail", ""),
            issued_at=values["at"],
            issued_by=values["by"],
            valid_until=values["valid_until"],
        )
    )


def codes_of(vault: Vault, card_id: str, codes: int) -> list[str]:
    """Return the codes of a sheet, for printing: ten digits each."""
    made = []
    for n in range(1, codes + 1):
        body = f"{int(vault.index(f'sheet/{card_id}/{n}'), 16) % 10 ** (CODE_DIGITS - 1):09d}"
        made.append(body + luhn.calc_check_digit(body))
    return made


def _index(vault: Vault, code: str) -> str:
    return vault.index(f"code/{code}")


def read(
    session: Session,
    vault: Vault,
    shown: str,
    *,
    at: datetime,
    elder_id: str | None = None,
) -> Read:
    """Say whose a shown number or code is and what speaks against it.

    Raises ``BadInput`` where its check digit is wrong and ``CardUnknown`` where nobody has it; a card
    that exists is never turned away here, a person is told why it is not taken.
    """
    plain = normal(shown)
    if _is_code(plain):
        if not luhn.is_valid(plain):
            raise BadInput(field="code", value="**********", expected="ten digits as printed")
        row = session.execute(
            select(CARD, CODE.c.used_for)
            .join(CODE, CODE.c.card_id == CARD.c.id)
            .where(CODE.c.code_index == _index(vault, plain))
        ).first()
    else:
        row = session.execute(
            select(CARD)
            .where(CARD.c.number_index == vault.index(f"card/{plain}"))
            .order_by(CARD.c.revoked_at.is_not(None), CARD.c.issued_at.desc())
        ).first()
    if row is None:
        raise CardUnknown(field="code", expected="a card or a printed code that was given out")
    why = ""
    if elder_id is not None and row.elder_id != elder_id:
        why = "another_elder"
    elif row.revoked_at is not None and row.revoked_at <= at:
        why = "revoked"
    elif row.valid_until < local(at).date():
        why = "expired"
    return Read(row.id, row.elder_id, row.kind, why)


def use(
    session: Session, vault: Vault, shown: str, *, at: datetime, work_order_id: str, found: Read
) -> Read:
    """Use a printed code up for a visit; a card stays good. Of two at once one has the code."""
    if found.why or found.kind == "card":
        return found
    mine = session.execute(
        update(CardCode)
        .where(
            CardCode.code_index == _index(vault, normal(shown)),
            (CardCode.used_at.is_(None)) | (CardCode.used_for == work_order_id),
        )
        .values(used_at=at, used_for=work_order_id)
    )
    if mine.rowcount == 1:  # type: ignore[attr-defined]
        return found
    return Read(found.card_id, found.elder_id, found.kind, "used")


def get(session: Session, card_id: str) -> Row[Any]:
    """Return a card's or sheet's row; raises ``NotFound``."""
    row = session.execute(select(CARD).where(CARD.c.id == card_id)).first()
    if row is None:
        raise NotFound(kind="card", id=card_id)
    return row


def revoke(session: Session, card_id: str, *, at: datetime, by: str, reason: str) -> None:
    """Take a card or sheet out of use from now on; raises ``WrongState`` where it was before."""
    gone = session.execute(
        update(ElderCard)
        .where(ElderCard.id == card_id, ElderCard.revoked_at.is_(None))
        .values(revoked_at=at, revoked_by=by, revoke_reason=reason)
    )
    if gone.rowcount != 1:  # type: ignore[attr-defined]
        get(session, card_id)
        raise WrongState(id=card_id, state="revoked", expected=["in use"])


def of_elder(session: Session, elder_id: str) -> list[Row[Any]]:
    """Return an elder's cards and sheets, the newest first."""
    return list(
        session.execute(
            select(CARD)
            .where(CARD.c.elder_id == elder_id)
            .order_by(CARD.c.issued_at.desc(), CARD.c.id)
        )
    )


def codes_left(session: Session, card_id: str) -> int:
    """Return how many codes of a sheet are not used."""
    rows = session.scalars(
        select(CODE.c.position).where(CODE.c.card_id == card_id, CODE.c.used_at.is_(None))
    )
    return len(list(rows))
