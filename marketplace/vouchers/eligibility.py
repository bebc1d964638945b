"""Who is entitled, and why: conditions on facts, decided and explained. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from marketplace.kernel.facts import Fact, Facts
from marketplace.vouchers.problems import ProgrammeFileBad

if TYPE_CHECKING:
    from marketplace.vouchers.programmes import Terms, Tier

LISTS = ("one_of", "has_any", "has_none")
OPERATORS = ("at_least", "at_most", "is", "is_not", *LISTS)


@dataclass(frozen=True, slots=True)
class Condition:
    """One test on one fact, or a choice of several lists of which one must hold entirely."""

    fact: str
    tests: tuple[tuple[str, Any], ...]
    any: tuple[tuple[Condition, ...], ...]
    source: str


@dataclass(frozen=True, slots=True)
class Finding:
    """How one condition came out. ``holds`` is ``None`` where the fact is not known."""

    fact: str
    wanted: str
    found: str
    holds: bool | None
    source_of_fact: str
    source_of_rule: str


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether a person is entitled to a programme on a day, and what decided.

    ``entitled`` is ``None`` where a missing fact would decide; ``missing`` names these facts.
    ``deciding`` is the first finding that refused, else the benefit row's.
    """

    programme_code: str
    entitled: bool | None
    tier: str
    amount: int
    findings: tuple[Finding, ...]
    missing: tuple[str, ...]

    @property
    def deciding(self) -> Finding | None:
        """Return the first finding that refused or could not be answered."""
        for wanted in (False, None):
            for finding in self.findings:
                if finding.holds is wanted:
                    return finding
        return self.findings[-1] if self.findings else None


def conditions(
    file: str, rows: Iterable[dict[str, Any]], *, source: str | None = None
) -> tuple[Condition, ...]:
    """Return the conditions of a file's rows; raises ``ProgrammeFileBad``."""
    return tuple(_condition(file, row, source) for row in rows)


def _condition(file: str, row: dict[str, Any], inherited: str | None) -> Condition:
    source = row.get("source", inherited)
    if not source:
        raise ProgrammeFileBad(file, "no_source", what=str(row))
    if "any" in row:
        if set(row) - {"any", "source"}:
            raise ProgrammeFileBad(file, "bad_condition", what=str(row))
        choices = tuple(conditions(file, choice, source=source) for choice in row["any"])
        return Condition(fact="", tests=(), any=choices, source=source)
    tests = tuple((op, row[op]) for op in OPERATORS if op in row)
    unknown = set(row) - {"fact", "source"} - set(OPERATORS)
    # A word in a list's place would be searched letter by letter.
    no_list = [op for op, wanted in tests if op in LISTS and not isinstance(wanted, list)]
    if "fact" not in row or not tests or unknown or no_list:
        raise ProgrammeFileBad(file, "bad_condition", what=str(row))
    return Condition(fact=row["fact"], tests=tests, any=(), source=source)


def decide(terms: Terms, facts: Facts) -> Decision:
    """Return whether these facts entitle a person to the programme, with all findings."""
    findings: list[Finding] = []
    held: list[bool | None] = []
    for condition in terms.who:
        held.append(_holds(condition, facts, findings))
    tier = _best_tier(terms, facts) if False not in held else None
    entitled = _all(held)
    if entitled is not False and tier is None:
        tier_held = _all([_any_tier(terms, facts, findings)])
        entitled = tier_held if entitled else entitled
    missing = tuple(
        dict.fromkeys(f.fact for f in findings if f.holds is None) if entitled is None else ()
    )
    return Decision(
        programme_code=terms.code,
        entitled=entitled,
        tier=tier.name if tier and entitled else "",
        amount=tier.amount if tier and entitled else 0,
        findings=tuple(findings),
        missing=missing,
    )


def holds(condition: Condition, facts: Facts) -> bool | None:
    """Return whether a condition holds; ``None`` where the fact is not known."""
    return _holds(condition, facts, None)


def entitled_tier(terms: Terms, facts: Facts) -> Tier | None:
    """Return the benefit row of an entitled person, else ``None``; as ``decide`` without its reasons."""
    for condition in terms.who:
        if _holds(condition, facts, None) is not True:
            return None
    return _best_tier(terms, facts)


def best_of_slots(terms: Sequence[Terms], facts: Facts) -> list[tuple[Terms, Tier]]:
    """Return what a person is entitled to, one of each slot: the greatest amount, then the first code."""
    best: dict[str, tuple[Terms, Tier]] = {}
    for t in terms:
        tier = entitled_tier(t, facts)
        if tier and (t.slot not in best or tier.amount > best[t.slot][1].amount):
            best[t.slot] = (t, tier)
    return list(best.values())


def _best_tier(terms: Terms, facts: Facts) -> Tier | None:
    fit = [t for t in terms.tiers if all(_holds(c, facts, None) is True for c in t.when)]
    return max(fit, key=lambda t: t.amount) if fit else None


def _any_tier(terms: Terms, facts: Facts, findings: list[Finding]) -> bool | None:
    outcomes = [_all([_holds(c, facts, findings) for c in t.when]) for t in terms.tiers]
    return None if None in outcomes and True not in outcomes else True in outcomes


def _all(held: Sequence[bool | None]) -> bool | None:
    if False in held:
        return False
    return None if None in held else True


def _holds(condition: Condition, facts: Facts, findings: list[Finding] | None) -> bool | None:
    if condition.any:
        before = len(findings or ())
        outcomes = [_all([_holds(c, facts, findings) for c in choice]) for choice in condition.any]
        if True in outcomes:
            if findings is not None:
                # One choice held: what the others lacked decided nothing.
                findings[before:] = [f for f in findings[before:] if f.holds is True]
            return True
        return None if None in outcomes else False
    fact = facts.get(condition.fact, Fact(None, "not on file"))
    holds: bool | None
    if fact.value is None:
        holds = None
    else:
        holds = all(_test(op, wanted, fact.value) for op, wanted in condition.tests)
    if findings is not None:
        findings.append(
            Finding(
                fact=condition.fact,
                wanted=", ".join(f"{op} {_text(wanted)}" for op, wanted in condition.tests),
                found=_text(fact.value),
                holds=holds,
                source_of_fact=fact.source,
                source_of_rule=condition.source,
            )
        )
    return holds


def _test(operator: str, wanted: Any, found: Any) -> bool:
    match operator:
        case "at_least":
            return bool(found >= wanted)
        case "at_most":
            return bool(found <= wanted)
        case "is":
            return bool(found == wanted)
        case "is_not":
            return bool(found != wanted)
        case "one_of":
            return found in wanted
        case "has_any":
            return any(w in found for w in wanted)
        case "has_none":
            return not any(w in found for w in wanted)
    raise ValueError(operator)


def _text(value: Any) -> str:
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "?"}[value]
    if isinstance(value, list | tuple | frozenset):
        return ", ".join(sorted(str(v) for v in value)) or "none"
    return str(value)
