"""政策计算: what an elder is entitled to on a day, which rule decided, what is missing. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from marketplace.kernel.facts import Fact, Facts
from marketplace.vouchers.eligibility import Decision, best_of_slots, decide
from marketplace.vouchers.programmes import Terms

BRING: Mapping[str, str] = {
    "level": "ability_assessment",
    "income_class": "income_statement",
    "hukou_local": "household_register",
    "age": "identity_card",
    "lives_alone": "community_statement",
    "special": "group_certificate",
    "at_home": "discharge_paper",
}
"""What a person brings when a fact is not on file: the code of a paper."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One programme's answer. ``held`` is false where another class of its slot is better.

    ``bring`` names papers for missing facts; ``decided_by`` quotes the rule, the fact and both
    sources.
    """

    programme_code: str
    name_zh: str
    name_en: str
    entitled: bool | None
    held: bool
    tier: str
    amount: int
    unit: str
    grant: str
    decision: Decision
    bring: tuple[str, ...]

    @property
    def says(self) -> str:
        """Return the answer in a word: ``yes``, ``other_class`` (a better one of its slot is held),
        ``no``, or ``open`` where a missing fact would decide."""
        if self.entitled is None:
            return "open"
        if not self.entitled:
            return "no"
        return "yes" if self.held else "other_class"

    @property
    def decided_by(self) -> str:
        """Return the deciding rule in one line: fact, wanted, found."""
        finding = self.decision.deciding
        if finding is None:
            return ""
        return f"{finding.fact} {finding.wanted}: {finding.found}"


@dataclass(frozen=True, slots=True)
class Change:
    """What would be another day: a birthday, the end of an assessment, another ability level."""

    on: date | None
    cause: str
    gains: tuple[str, ...]
    loses: tuple[str, ...]


def answers(terms: Sequence[Terms], facts: Facts) -> tuple[Answer, ...]:
    """Return every programme's answer, in the order of their codes."""
    best = {t.code for t, _ in best_of_slots(terms, facts)}
    return tuple(_answer(t, decide(t, facts), t.code in best) for t in terms)


def _answer(terms: Terms, decision: Decision, held: bool) -> Answer:
    return Answer(
        programme_code=terms.code,
        name_zh=terms.name_zh,
        name_en=terms.name_en,
        entitled=decision.entitled,
        held=held,
        tier=decision.tier,
        amount=decision.amount,
        unit=terms.unit,
        grant=terms.grant,
        decision=decision,
        bring=tuple(dict.fromkeys(BRING[f] for f in decision.missing if f in BRING)),
    )


def changes(
    terms: Sequence[Terms],
    facts: Facts,
    *,
    born_on: date,
    assessed_until: date | None,
    on: date,
) -> tuple[Change, ...]:
    """Return what the next birthdays, the assessment's end or another level would change.

    Birthdays are tried for ten years, the first that changes anything is told; each ability level is
    tried as the result of the next assessment.
    """
    now = _holdings(terms, facts)
    found = []
    for year in range(1, 11):
        age = int(facts["age"].value or 0) + year  # type: ignore[call-overload]
        change = _compare(terms, now, facts, {"age": age}, _birthday(born_on, age), "birthday")
        if change:
            found.append(change)
            break
    if assessed_until is not None:
        change = _compare(
            terms, now, facts, {"level": None}, assessed_until + timedelta(days=1), "no_assessment"
        )
        if change:
            found.append(change)
    level = facts.get("level", Fact(None, "")).value
    for other in range(5):
        if other != level:
            change = _compare(terms, now, facts, {"level": other}, None, f"level_{other}")
            if change:
                found.append(change)
    return tuple(found)


def _birthday(born_on: date, age: int) -> date:
    try:
        return born_on.replace(year=born_on.year + age)
    except ValueError:
        return date(born_on.year + age, 3, 1)


def _holdings(terms: Sequence[Terms], facts: Facts) -> dict[str, str]:
    return {t.code: tier.name for t, tier in best_of_slots(terms, facts)}


def _compare(
    terms: Sequence[Terms],
    now: dict[str, str],
    facts: Facts,
    other: dict[str, int | None],
    on: date | None,
    cause: str,
) -> Change | None:
    then = _holdings(
        terms, dict(facts) | {name: Fact(value, "supposed") for name, value in other.items()}
    )
    gains = tuple(sorted(tier for code, tier in then.items() if now.get(code) != tier))
    loses = tuple(sorted(tier for code, tier in now.items() if then.get(code) != tier))
    return Change(on, cause, gains, loses) if gains or loses else None
