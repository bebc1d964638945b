"""Proving the ledger: everything is computed again from the transfers, and the first wrong row named.

The checks read one snapshot and keep a bounded number of rows in memory; sums are left to the
database. Each finding names table, row and rule.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, select, text
from sqlalchemy.orm import aliased

from marketplace.vouchers.models import (
    Entitlement,
    LedgerAccount,
    LedgerSeal,
    LedgerTransfer,
    PriceShare,
    PriceSplit,
    Redemption,
)
from marketplace.vouchers.seals import GENESIS, line_of, stream
from marketplace.vouchers.splits import entitlement_terms, hold_terms, redemption_terms

LIMIT = 20
"""Findings shown of one check."""

FROZEN = (
    "ledger_transfer",
    "ledger_seal",
    "entitlement",
    "price_share",
    "redemption",
    "ledger_account",
    "price_split",
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One wrong row."""

    table: str
    row: str
    rule: str
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.table} {self.row}: {self.rule}" + (
            f" ({self.detail})" if self.detail else ""
        )


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a verification looked at and found; ``findings`` is empty where all is right."""

    accounts: int
    transfers: int
    sealed: int
    findings: tuple[Finding, ...]

    @property
    def is_proven(self) -> bool:
        """Return whether nothing is wrong."""
        return not self.findings


_COUNTERS = """
SELECT a.id, a.debits_pending, a.debits_posted, a.credits_pending, a.credits_posted,
       COALESCE(s.dp, 0), COALESCE(s.dd, 0), COALESCE(s.cp, 0), COALESCE(s.cd, 0)
FROM ledger_account a LEFT JOIN (
  SELECT account, SUM(dp) AS dp, SUM(dd) AS dd, SUM(cp) AS cp, SUM(cd) AS cd FROM (
    SELECT t.debit_account AS account,
           CASE WHEN t.kind = 'pending' AND r.id IS NULL THEN t.amount ELSE 0 END AS dp,
           CASE WHEN t.kind IN ('post', 'direct', 'reversal') THEN t.amount ELSE 0 END AS dd,
           0 AS cp, 0 AS cd
    FROM ledger_transfer t LEFT JOIN ledger_transfer r ON r.pending_id = t.id
    UNION ALL
    SELECT t.credit_account, 0, 0,
           CASE WHEN t.kind = 'pending' AND r.id IS NULL THEN t.amount ELSE 0 END,
           CASE WHEN t.kind IN ('post', 'direct', 'reversal') THEN t.amount ELSE 0 END
    FROM ledger_transfer t LEFT JOIN ledger_transfer r ON r.pending_id = t.id
  ) m GROUP BY account
) s ON s.account = a.id
WHERE a.debits_pending <> COALESCE(s.dp, 0) OR a.debits_posted <> COALESCE(s.dd, 0)
   OR a.credits_pending <> COALESCE(s.cp, 0) OR a.credits_posted <> COALESCE(s.cd, 0)
   OR (a.guarded AND a.debits_pending + a.debits_posted > a.credits_posted)
   OR s.account IS NULL
ORDER BY a.id LIMIT :most
"""

# Each yields (row, detail). What the constraints already forbid is asked again, because whoever
# changes a row by hand can drop a constraint first.
_QUERIES: tuple[tuple[str, str, str], ...] = (
    (
        "ledger_transfer",
        "an account it names is missing or of another unit",
        """SELECT t.serial, t.id FROM ledger_transfer t
           LEFT JOIN ledger_account d ON d.id = t.debit_account AND d.unit = t.unit
           LEFT JOIN ledger_account c ON c.id = t.credit_account AND c.unit = t.unit
           WHERE d.id IS NULL OR c.id IS NULL ORDER BY t.serial LIMIT :most""",
    ),
    (
        "ledger_transfer",
        "it is malformed",
        """SELECT serial, id FROM ledger_transfer WHERE amount <= 0 OR debit_account = credit_account
           OR kind NOT IN ('pending', 'post', 'void', 'expire', 'direct', 'reversal')
           OR (kind IN ('post', 'void', 'expire')) <> (pending_id IS NOT NULL)
           OR (kind = 'reversal') <> (reverses_id IS NOT NULL)
           OR (kind = 'post') <> (visit_id IS NOT NULL) ORDER BY serial LIMIT :most""",
    ),
    (
        "ledger_transfer",
        "it does not fit the pending transfer that it resolves",
        """SELECT t.serial, t.id FROM ledger_transfer t
           LEFT JOIN ledger_transfer p ON p.id = t.pending_id
           WHERE t.pending_id IS NOT NULL AND (p.id IS NULL OR p.kind <> 'pending'
             OR p.debit_account <> t.debit_account OR p.unit <> t.unit OR t.amount > p.amount
             OR p.serial >= t.serial OR p.work_order_id <> t.work_order_id
             OR (t.kind <> 'post' AND
                 (t.amount <> p.amount OR t.credit_account <> p.credit_account)))
           ORDER BY t.serial LIMIT :most""",
    ),
    (
        "ledger_transfer",
        "a pending transfer is resolved twice",
        """SELECT MIN(serial), pending_id FROM ledger_transfer WHERE pending_id IS NOT NULL
           GROUP BY pending_id HAVING COUNT(*) > 1 ORDER BY 1 LIMIT :most""",
    ),
    (
        "ledger_transfer",
        "it is not the mirror of its twin",
        """SELECT t.serial, t.id FROM ledger_transfer t
           LEFT JOIN ledger_transfer p ON p.id = t.reverses_id
           WHERE t.reverses_id IS NOT NULL AND (p.id IS NULL
             OR p.kind NOT IN ('post', 'direct') OR p.debit_account <> t.credit_account
             OR p.credit_account <> t.debit_account OR p.amount <> t.amount OR p.unit <> t.unit
             OR p.serial >= t.serial)
           ORDER BY t.serial LIMIT :most""",
    ),
    (
        "ledger_transfer",
        "two transfers share an id or a twin",
        """SELECT MIN(serial), id FROM ledger_transfer GROUP BY id HAVING COUNT(*) > 1
           UNION ALL SELECT MIN(serial), reverses_id FROM ledger_transfer
           WHERE reverses_id IS NOT NULL GROUP BY reverses_id HAVING COUNT(*) > 1
           ORDER BY 1 LIMIT :most""",
    ),
    (
        "ledger_transfer",
        "a hold belongs to no share",
        """SELECT t.serial, t.id FROM ledger_transfer t
           LEFT JOIN price_share f ON f.pending_id = t.id
           LEFT JOIN price_share m ON m.pending_minutes_id = t.id
           WHERE t.kind = 'pending' AND f.work_order_id IS NULL AND m.work_order_id IS NULL
           ORDER BY t.serial LIMIT :most""",
    ),
    (
        "ledger_transfer",
        "a capture has no redemption, or another visit's",
        """SELECT t.serial, t.id FROM ledger_transfer t
           LEFT JOIN redemption r ON r.work_order_id = t.work_order_id AND r.visit_id = t.visit_id
           WHERE t.kind = 'post' AND r.work_order_id IS NULL ORDER BY t.serial LIMIT :most""",
    ),
    (
        "ledger_transfer",
        "a grant has no entitlement",
        """SELECT t.serial, t.id FROM ledger_transfer t
           LEFT JOIN entitlement e ON e.account_id = t.credit_account
           WHERE t.code IN ('grant', 'replacement') AND e.account_id IS NULL
           ORDER BY t.serial LIMIT :most""",
    ),
    (
        "price_split",
        "its shares do not sum to its price",
        """SELECT s.work_order_id, s.price_fen FROM price_split s LEFT JOIN (
             SELECT work_order_id, revision, SUM(fen) AS fen FROM price_share
             GROUP BY work_order_id, revision
           ) p ON p.work_order_id = s.work_order_id AND p.revision = s.revision
           WHERE s.price_fen <> COALESCE(p.fen, 0) ORDER BY s.work_order_id LIMIT :most""",
    ),
    (
        "price_split",
        "its state is not what the ledger says",
        """SELECT s.work_order_id, s.state FROM price_split s LEFT JOIN (
             SELECT p.work_order_id, p.revision, COUNT(*) AS shares, COUNT(h.id) AS holds,
               COUNT(r.id) AS resolved,
               SUM(CASE WHEN r.kind = 'post' THEN 1 ELSE 0 END) AS posts,
               COUNT(v.id) AS mirrors
             FROM price_share p
             LEFT JOIN ledger_transfer h ON h.id = p.pending_id
             LEFT JOIN ledger_transfer r ON r.pending_id = h.id
             LEFT JOIN ledger_transfer v ON v.reverses_id = r.id
             GROUP BY p.work_order_id, p.revision
           ) l ON l.work_order_id = s.work_order_id AND l.revision = s.revision
           WHERE l.work_order_id IS NOT NULL AND NOT (
             (s.state = 'expected' AND l.holds = 0)
             OR (s.state = 'released' AND l.posts = 0 AND l.resolved = l.holds
                 AND l.holds IN (0, l.shares))
             OR (s.state = 'held' AND l.holds = l.shares AND l.resolved = 0)
             OR (s.state = 'captured' AND l.holds = l.shares AND l.resolved = l.shares
                 AND l.mirrors = 0)
             OR (s.state = 'reversed' AND l.resolved = l.shares AND l.mirrors = l.posts))
           ORDER BY s.work_order_id LIMIT :most""",
    ),
    (
        "price_share",
        "it belongs to no split",
        """SELECT p.work_order_id, p.position FROM price_share p
           LEFT JOIN price_split s ON s.work_order_id = p.work_order_id
             AND s.revision >= p.revision
           WHERE s.work_order_id IS NULL ORDER BY 1 LIMIT :most""",
    ),
    (
        "redemption",
        "it has no captured shares, or its split is not captured",
        """SELECT r.work_order_id, r.price_fen FROM redemption r
           LEFT JOIN price_split s ON s.work_order_id = r.work_order_id
           LEFT JOIN (SELECT work_order_id, SUM(amount) AS fen FROM ledger_transfer
             WHERE kind = 'post' AND unit = 'fen' GROUP BY work_order_id) t
             ON t.work_order_id = r.work_order_id
           WHERE s.work_order_id IS NULL OR s.state NOT IN ('captured', 'reversed')
             OR COALESCE(t.fen, 0) <> r.price_fen ORDER BY 1 LIMIT :most""",
    ),
    (
        "price_split",
        "it is captured without a redemption",
        """SELECT s.work_order_id, s.state FROM price_split s
           LEFT JOIN redemption r ON r.work_order_id = s.work_order_id
           WHERE s.state IN ('captured', 'reversed') AND r.work_order_id IS NULL
           ORDER BY 1 LIMIT :most""",
    ),
    (
        "entitlement",
        "no transfer granted it, or another amount",
        """SELECT e.account_id, e.granted FROM entitlement e LEFT JOIN (
             SELECT credit_account, SUM(amount) AS amount FROM ledger_transfer
             WHERE code IN ('grant', 'replacement', 'top_up', 'gift')
             GROUP BY credit_account
           ) t ON t.credit_account = e.account_id
           WHERE t.amount IS NULL OR t.amount <> e.granted ORDER BY 1 LIMIT :most""",
    ),
)


def verify(
    connection: Connection, *, progress: Callable[[str, int], None] | None = None
) -> Verdict:
    """Prove the ledger on an open snapshot; ``progress`` hears of each check and rows read."""
    say = progress or (lambda _check, _rows: None)
    findings: list[Finding] = list(_triggers(connection))
    say("counters", 0)
    for row in connection.execute(text(_COUNTERS), {"most": LIMIT}):
        stored, summed = tuple(row[1:5]), tuple(int(v) for v in row[5:9])
        findings.append(
            Finding("ledger_account", row[0], "its counters", f"{stored} stored, {summed} summed")
        )
    for table, rule, query in _QUERIES:
        say(f"{table}: {rule}", 0)
        for row in connection.execute(text(query), {"most": LIMIT}):
            findings.append(Finding(table, str(row[0]), rule, str(row[1])))
    findings.extend(_first(_accounts(connection)))
    findings.extend(_first(_grants(connection)))
    findings.extend(_first(_holds(connection)))
    findings.extend(_first(_captures(connection)))
    sealed, broken = _chain(connection, say)
    findings.extend(broken)
    return Verdict(
        accounts=_count(connection, LedgerAccount.id),
        transfers=_count(connection, LedgerTransfer.serial),
        sealed=sealed,
        findings=tuple(findings),
    )


def _count(connection: Connection, column: Any) -> int:
    return int(connection.scalar(select(func.count(column))) or 0)


def _first(found: Iterator[Finding]) -> list[Finding]:
    return [f for f, _ in zip(found, range(LIMIT), strict=False)]


def _triggers(connection: Connection) -> Iterator[Finding]:
    if connection.dialect.name == "sqlite":
        query = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
    else:
        query = "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgenabled <> 'D'"
    names = set(connection.scalars(text(query)))
    for table in FROZEN:
        for act in ("update", "delete"):
            if f"{table}_no_{act}" not in names:
                yield Finding(table, "*", f"the trigger that refuses {act} is missing")


def _rows(connection: Connection, query: Any) -> Iterator[Any]:
    yield from connection.execute(query.execution_options(yield_per=5000))


_PARTS: dict[str, tuple[str, ...]] = {
    "treasury": ("district_code",),
    "budget": ("programme_code", "district_code", "period"),
    "fund": ("programme_code", "district_code", "period"),
    "mint": ("programme_code", "district_code"),
    "outside": ("programme_code", "district_code"),
    "day": ("programme_code", "elder_id", "period"),
    "owed": ("elder_id",),
    "promised": ("programme_code", "district_code"),
    "served": ("programme_code", "district_code"),
    "due": ("vendor_id", "programme_code"),
}
"""What the parts of an account's id say, by kind; entitlements are compared with their own table."""


def _accounts(connection: Connection) -> Iterator[Finding]:
    a = LedgerAccount
    query = (
        select(
            a.id,
            a.kind,
            a.unit,
            a.programme_code,
            a.elder_id,
            a.vendor_id,
            a.district_code,
            a.period,
            Entitlement.account_id,
            Entitlement.programme_code,
            Entitlement.elder_id,
            Entitlement.district_code,
            Entitlement.period,
            Entitlement.unit,
        )
        .outerjoin(Entitlement, Entitlement.account_id == a.id)
        .order_by(a.id)
    )
    for row in _rows(connection, query):
        if row.kind == "entitlement":
            mine = (row[3], row[4], row[6], row[7], row[2])
            if row[8] is None or mine != tuple(row[9:14]) or row[5] is not None:
                yield Finding("ledger_account", row.id, "it is not its entitlement's")
            continue
        head, *rest = row.id.split(":")
        named = dict(zip(_PARTS.get(row.kind, ()), rest, strict=False))
        columns = {
            "programme_code": row[3],
            "elder_id": row[4],
            "vendor_id": row[5],
            "district_code": row[6],
            "period": row[7],
        }
        if head != row.kind or any(columns[k] != v for k, v in named.items()):
            yield Finding("ledger_account", row.id, "its columns are not what its id says")


def _grants(connection: Connection) -> Iterator[Finding]:
    t = LedgerTransfer
    query = (
        select(Entitlement.__table__, t.terms_sha256)
        .join(t, t.credit_account == Entitlement.account_id)
        .where(t.code.in_(["grant", "replacement"]))
        .order_by(t.serial)
    )
    for row in _rows(connection, query):
        if entitlement_terms(dict(row._mapping)) != row.terms_sha256:
            yield Finding("entitlement", row.account_id, "its terms are not those of its grant")


def _holds(connection: Connection) -> Iterator[Finding]:
    fen, minutes = aliased(LedgerTransfer), aliased(LedgerTransfer)
    p, s = PriceShare, PriceSplit
    query = (
        select(
            p.work_order_id,
            p.revision,
            p.position,
            p.programme_code,
            p.programme_version,
            p.tier,
            p.fen,
            p.minutes,
            p.rate_fen_per_hour,
            p.account_id,
            s.elder_id,
            s.district_code,
            s.use_on,
            s.period,
            p.unit,
            fen.terms_sha256,
            fen.amount,
            fen.unit,
            fen.work_order_id,
            minutes.terms_sha256,
            minutes.amount,
            minutes.debit_account,
            fen.debit_account,
        )
        .join(s, s.work_order_id == p.work_order_id)
        .join(fen, fen.id == p.pending_id)
        .outerjoin(minutes, minutes.id == p.pending_minutes_id)
        .order_by(p.work_order_id, p.revision, p.position)
    )
    for row in _rows(connection, query):
        names = ("work_order_id", "revision", "position", "programme_code", "programme_version")
        names += ("tier", "fen", "minutes", "rate_fen_per_hour", "account_id", "elder_id")
        names += ("district_code", "use_on", "period")
        terms = hold_terms(**dict(zip(names, row[:14], strict=True)))
        where = f"{row[0]}/{row[1]}/{row[2]}"
        if terms != row[15] or row[6] != row[16] or row[17] != "fen" or row[0] != row[18]:
            yield Finding("price_share", where, "it is not what was held")
        elif row[14] == "minutes" and (row[19] != terms or row[20] != row[7] or row[21] != row[9]):
            yield Finding("price_share", where, "its minutes are not what was held")
        elif row[14] == "fen" and row[22] != row[9]:
            yield Finding("price_share", where, "another account was held")


def _captures(connection: Connection) -> Iterator[Finding]:
    t, r = LedgerTransfer, Redemption
    query = (
        select(
            r.work_order_id,
            r.visit_id,
            r.vendor_id,
            r.period,
            r.price_fen,
            r.minutes_delivered,
            r.at,
            t.terms_sha256,
            t.at,
            t.id,
        )
        .join(t, t.work_order_id == r.work_order_id)
        .where(t.kind == "post")
        .order_by(t.serial)
    )
    for row in _rows(connection, query):
        terms = redemption_terms(
            work_order_id=row[0],
            visit_id=row[1],
            vendor_id=row[2],
            period=row[3],
            price_fen=row[4],
            minutes_delivered=row[5],
        )
        if terms != row[7] or row[6] != row[8]:
            yield Finding("redemption", row[0], "it is not what was captured", row[9])


def _chain(connection: Connection, say: Callable[[str, int], None]) -> tuple[int, list[Finding]]:
    """Compute the chain of seals again; return how many transfers it covers, and what is broken."""
    seals = connection.execute(
        select(
            LedgerSeal.id,
            LedgerSeal.from_serial,
            LedgerSeal.to_serial,
            LedgerSeal.transfers,
            LedgerSeal.previous_sha256,
            LedgerSeal.sha256,
        ).order_by(LedgerSeal.id)
    ).all()
    if not seals:
        return 0, []
    rows = stream(connection, after=0, upto=seals[-1].to_serial)
    pending = next(rows, None)
    previous, covered = GENESIS, 0
    for number, seal in enumerate(seals, start=1):
        if seal.id != number or seal.previous_sha256 != previous:
            return covered, [Finding("ledger_seal", str(seal.id), "the chain is broken before it")]
        digest, count = hashlib.sha256(previous.encode()), 0
        first = pending[0] if pending is not None else None
        last = None
        while pending is not None and pending[0] <= seal.to_serial:
            digest.update(line_of(pending))
            count, last = count + 1, pending[0]
            pending = next(rows, None)
        if (first, last, count, digest.hexdigest()) != (
            seal.from_serial,
            seal.to_serial,
            seal.transfers,
            seal.sha256,
        ):
            detail = f"serials {seal.from_serial} to {seal.to_serial}, {count} found"
            return covered, [Finding("ledger_seal", str(seal.id), "its transfers changed", detail)]
        previous, covered = seal.sha256, covered + count
        say("seals", covered)
    return covered, []


def as_json(verdict: Verdict) -> str:
    """Return a verdict as one JSON object."""
    return json.dumps(
        {
            "proven": verdict.is_proven,
            "accounts": verdict.accounts,
            "transfers": verdict.transfers,
            "sealed": verdict.sealed,
            "findings": [str(f) for f in verdict.findings],
        },
        ensure_ascii=False,
    )
