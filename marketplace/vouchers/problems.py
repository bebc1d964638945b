"""What may be wrong with a programme's file: a stable reason, the word at fault, a plain sentence. Pure."""

from __future__ import annotations

PROBLEMS: dict[str, str] = {
    "not_toml": "it is no TOML: {what}",
    "missing": "{what} is missing",
    "wrong_kind": "a value is of the wrong kind: {what}",
    "unknown_kind": "kind or grant is not known",
    "unknown_word": "unknown word {what} in {where}",
    "no_date": "valid_from of a version is no date",
    "district_code": "district {what}: its code has six digits",
    "no_services": "services and its source are missing",
    "no_tier": "a version needs a tier",
    "broken_block": "a block of minutes must be worth whole fen",
    "tier_grants_nothing": "tier {what} grants nothing",
    "no_whole_number": "{what} is no whole number of zero or more",
    "too_great": "{what} is more than {most}",
    "no_list": "{what} is no list",
    "named_twice": "{what} is named twice",
    "no_source": "no source beside {what}",
    "bare_value": "{what} needs a value and its source",
    "bad_condition": "no fact, no test or an unknown word in {what}",
    "unknown_fact": "no register has the fact {what}",
    "two_files": "{what} is in two files",
    "content_changed": "its content is not what was released",
    "slot_unknown": "slot {what} is not in the order of payers",
    "fixed": "{what} of a programme never changes: it is {known}",
    "same_day": "two versions begin on the same day",
    "one_version": "it must change exactly one version, and changes {what}",
    "not_first_of_month": "valid_from must be the first day of a month",
    "begins_too_early": "valid_from must lie after {what}",
    "month_is_granted": "valid_from must lie after {what}, which is granted",
    "own_district": "it changes more than the values of your own district",
}
"""Reason -> what is said to programs and on the command line; screens have their own sentences."""


class ProgrammeFileBad(ValueError):
    """A programme file says something that cannot be. ``args``: file name, what is wrong.

    ``reason`` is a key of ``PROBLEMS``, ``facts`` fill its sentence.
    """

    def __init__(self, file: str, reason: str, **facts: str) -> None:
        self.reason = reason
        self.facts = facts
        super().__init__(file, problem(reason, facts))


def problem(reason: str, facts: dict[str, str]) -> str:
    """Return a reason's sentence with its facts."""
    return PROBLEMS[reason].format(**facts)
