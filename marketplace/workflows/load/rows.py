"""What each file's rows are: one model a file, read from text cells.

A model's fields are the file's columns, in the order in which the exporter writes them.
"""

from __future__ import annotations

from datetime import date
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

from marketplace.catalogue.rules import SKILLS
from marketplace.elders.models import IncomeClass
from marketplace.workflows.load.cells import (
    Clock,
    Date,
    Hours,
    IdNumber,
    Latitude,
    Longitude,
    OptionalClock,
    OptionalDate,
    OptionalPhone,
    Phone,
    Share,
    Uscc,
    YesNo,
    choice,
    choices,
    codes,
    money_id,
    optional_text,
    optional_whole,
    text,
    whole,
)
from marketplace.workflows.load.refusals import RowRefused

SPECIAL = (
    "tefu",
    "youfu",
    "severe_disability",
    "jizhong",
    "tisheng",
    "ltci",
    "tekun_agreement",
    "bed",
)
POWERS = ("order", "see_visits", "see_money", "cancel")
_EARLIEST_BIRTH = date(1895, 1, 1)
_LEVEL_SCORES = ((90, 90), (66, 89), (46, 65), (30, 45), (0, 29))
"""GB/T 42195-2022: lowest and highest score of levels 0 to 4 before the upgrade rules."""


class FileRow(BaseModel):
    """One row of a file. ``key`` is its natural key within the file."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    KEY: ClassVar[tuple[str, ...]] = ("id",)

    def key(self) -> str:
        """Return the natural key as one text."""
        return "|".join(str(getattr(self, name)) for name in self.KEY)

    def check(self, today: date) -> None:
        """Hold the fields against one another; raises ``RowRefused``."""


def _point(lat: float | None, lng: float | None) -> None:
    if (lat is None) != (lng is None):
        raise RowRefused("lat" if lat is None else "lng", "missing_value", "", "both_coordinates")


class VendorRow(FileRow):
    id: money_id(40)
    name: text(80)
    uscc: Uscc
    size: choice("large", "middle", "small")
    phone: Phone
    status: choice("active", "suspended", "left")
    district_codes: codes(r"\d{6}", "district_codes")
    category_codes: codes(r"[A-Z]{2}", "category_codes")
    open_share: Share
    daily_capacity: optional_whole(0, 100_000)


class LicenceRow(FileRow):
    KEY: ClassVar = ("vendor_id", "kind", "number")
    vendor_id: text(40)
    kind: text(40)
    number: text(60)
    valid_from: Date
    valid_until: Date

    def check(self, today: date) -> None:
        _validity(self, today)


def _validity(row: Any, today: date) -> None:
    if row.valid_until < row.valid_from:
        raise RowRefused("valid_until", "ends_before_it_begins", row.valid_until, "later_date")
    if row.valid_until < today:
        raise RowRefused("valid_until", "expired", row.valid_until, "date_not_past")


class SiteRow(FileRow):
    id: text(40)
    kind: choice("centre", "meal", "bath", "day_care")
    name: text(80)
    vendor_id: optional_text(40)
    address: text(200)
    lat: Latitude
    lng: Longitude
    meals_ready: OptionalClock

    def check(self, today: date) -> None:
        _point(self.lat, self.lng)


class CaregiverRow(FileRow):
    id: text(40)
    vendor_id: text(40)
    name: text(40)
    gender: choice("F", "M")
    phone: OptionalPhone
    base_site_id: text(40)
    max_work_h: Hours
    rest_from: OptionalClock
    rest_to: OptionalClock
    rest_min: optional_whole(1, 600)
    meal_capacity: optional_whole(1, 500)
    status: choice("active", "left")

    def check(self, today: date) -> None:
        rest = (self.rest_from, self.rest_to, self.rest_min)
        if any(v is None for v in rest) and any(v is not None for v in rest):
            raise RowRefused("rest_from", "rest_incomplete", "", "all_three_or_none")
        if (
            self.rest_from is not None
            and self.rest_to is not None
            and self.rest_min is not None
            and self.rest_to - self.rest_from < self.rest_min * 60
        ):
            raise RowRefused("rest_min", "rest_too_long", self.rest_min, "within_rest_window")


class CertificateRow(FileRow):
    KEY: ClassVar = ("caregiver_id", "skill_code", "valid_from")
    caregiver_id: text(40)
    skill_code: choice(*sorted(SKILLS))
    number: text(60)
    valid_from: Date
    valid_until: Date

    def check(self, today: date) -> None:
        _validity(self, today)


class ShiftRow(FileRow):
    KEY: ClassVar = ("caregiver_id", "works_on", "starts")
    caregiver_id: text(40)
    works_on: Date
    starts: Clock
    ends: Clock

    def check(self, today: date) -> None:
        if self.ends <= self.starts:
            raise RowRefused("ends", "ends_before_it_begins", "", "later_time")
        if self.ends - self.starts > 16 * 3600:
            raise RowRefused("ends", "shift_too_long", "", "at_most_16_hours")


class ElderRow(FileRow):
    id: money_id(40)
    name: text(40)
    gender: choice("F", "M")
    born_on: Date
    id_number: IdNumber
    phone: OptionalPhone
    address: text(200)
    lat: Latitude
    lng: Longitude
    hukou_local: YesNo
    income_class: choice(*(c.value for c in IncomeClass))
    lives_alone: YesNo
    special: choices(*SPECIAL)
    door_notes: optional_text(200)
    status: choice("active", "away", "moved", "dead")
    assessed_on: OptionalDate
    score: optional_whole(0, 90)
    level: optional_whole(0, 4)

    def check(self, today: date) -> None:
        _point(self.lat, self.lng)
        if self.born_on > today:
            raise RowRefused("born_on", "in_the_future", self.born_on, "date_past")
        if self.born_on < _EARLIEST_BIRTH:
            raise RowRefused("born_on", "too_long_ago", self.born_on, "four_digit_year")
        if self.id_number[6:14] != self.born_on.strftime("%Y%m%d"):
            raise RowRefused("born_on", "disagrees_with_id_number", self.born_on, "as_id_number")
        if ("M" if int(self.id_number[16]) % 2 else "F") != self.gender:
            raise RowRefused("gender", "disagrees_with_id_number", self.gender, "as_id_number")
        self._check_assessment(today)

    def _check_assessment(self, today: date) -> None:
        given = (self.assessed_on, self.score, self.level)
        if any(v is None for v in given):
            if any(v is not None for v in given):
                raise RowRefused("assessed_on", "assessment_incomplete", "", "all_three_or_none")
            return
        assert self.assessed_on is not None
        assert self.score is not None
        assert self.level is not None
        if self.assessed_on > today:
            raise RowRefused("assessed_on", "in_the_future", self.assessed_on, "date_past")
        lowest = next(n for n, (low, high) in enumerate(_LEVEL_SCORES) if low <= self.score <= high)
        # The upgrade rules only ever make a level worse, that is higher.
        if self.level < lowest:
            raise RowRefused(
                "level", "disagrees_with_score", self.level, f"{lowest}_to_4", score=self.score
            )


class FamilyRow(FileRow):
    KEY: ClassVar = ("elder_id", "name", "relation")
    elder_id: text(40)
    name: text(40)
    relation: text(20)
    phone: OptionalPhone
    powers: choices(*POWERS)


class RefusalRow(FileRow):
    """不愿接受的护理员: whom an elder or the family does not want."""

    KEY: ClassVar = ("elder_id", "caregiver_id")
    elder_id: text(40)
    caregiver_id: text(40)
    reason: optional_text(200)


class OrderFileRow(FileRow):
    id: text(40)
    elder_id: text(40)
    service_code: text(8)
    starts_on: Date
    ends_on: OptionalDate
    rrule: optional_text(200)
    skip_holidays: YesNo
    window_start: Clock
    window_end: Clock
    vendor_id: optional_text(40)
    caregiver_id: optional_text(40)
    site_id: optional_text(40)
    quantity: whole(1, 99)
    note: optional_text(200)

    def check(self, today: date) -> None:
        if self.window_end < self.window_start:
            raise RowRefused("window_end", "ends_before_it_begins", "", "later_time")
        if self.ends_on is not None and self.ends_on < self.starts_on:
            raise RowRefused("ends_on", "ends_before_it_begins", self.ends_on, "later_date")


# ---------------------------------------------------------------- other authorities' lists


class HouseholdRow(FileRow):
    """户籍: whether the household is registered in the city, from a day on."""

    KEY: ClassVar = ("id_number",)
    id_number: IdNumber
    hukou_local: YesNo
    since_on: Date


class AssistanceRow(FileRow):
    """社会救助: the income class, from a day on."""

    KEY: ClassVar = ("id_number",)
    id_number: IdNumber
    income_class: choice(*(c.value for c in IncomeClass))
    since_on: Date


class DeathRow(FileRow):
    """殡葬: the date of death."""

    KEY: ClassVar = ("id_number",)
    id_number: IdNumber
    died_on: Date
    notice_no: optional_text(60)

    def check(self, today: date) -> None:
        if self.died_on > today:
            raise RowRefused("died_on", "in_the_future", self.died_on, "date_past")


class StayRow(FileRow):
    """住院、入住机构: from the day of coming to the day of going, which is empty while it lasts."""

    KEY: ClassVar = ("id_number", "kind", "admitted_on")
    id_number: IdNumber
    kind: choice("hospital", "institution")
    place: optional_text(80)
    admitted_on: Date
    discharged_on: OptionalDate

    def check(self, today: date) -> None:
        if self.discharged_on is not None and self.discharged_on < self.admitted_on:
            raise RowRefused(
                "discharged_on", "ends_before_it_begins", self.discharged_on, "later_date"
            )


class InsuranceRow(FileRow):
    """长护险: whether the insurer pays, from a day on."""

    KEY: ClassVar = ("id_number",)
    id_number: IdNumber
    active: YesNo
    since_on: Date
