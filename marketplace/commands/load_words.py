"""What was wrong with a row and what would be right, in words."""

from __future__ import annotations

import re
from typing import Any

from flask_babel import gettext
from flask_babel import lazy_gettext as _l

from marketplace.workflows.load.refusals import Refusal

PROBLEMS: dict[str, Any] = {
    "missing_value": _l("is empty"),
    "formula": _l("begins like a formula"),
    "joining_sign": _l("has a colon or a slash in it"),
    "control_character": _l("holds an invisible control character"),
    "too_long": _l("is too long"),
    "unknown_choice": _l("is none of the allowed values"),
    "bad_code": _l("is no such code"),
    "not_a_date": _l("is no date"),
    "not_a_time": _l("is no time of day"),
    "not_a_number": _l("is no such number"),
    "out_of_range": _l("is out of range"),
    "bad_phone": _l("is no phone number of the mainland"),
    "bad_id_number": _l("is no identity number: the check digit, date or region is wrong"),
    "bad_uscc": _l("is no unified social credit code: the check character is wrong"),
    "missing_column": _l("the column is missing"),
    "unknown_column": _l("there is no such column"),
    "doubled_column": _l("the column stands twice"),
    "empty_file": _l("the file is empty"),
    "unreadable_file": _l("the file cannot be opened"),
    "too_few_cells": _l("the line has too few cells"),
    "too_many_cells": _l("the line has too many cells"),
    "quote_not_closed": _l("a quotation mark is never closed"),
    "line_too_long": _l("the line is too long for a register"),
    "broken_encoding": _l("the line holds bytes that are no text"),
    "ends_before_it_begins": _l("ends before it begins"),
    "expired": _l("has expired"),
    "rest_incomplete": _l("the rest is only half given"),
    "rest_too_long": _l("the rest does not fit into its window"),
    "shift_too_long": _l("the shift is too long"),
    "shift_overlaps": _l("overlaps another shift of the same caregiver"),
    "in_the_future": _l("lies in the future"),
    "too_long_ago": _l("is too long ago"),
    "disagrees_with_id_number": _l("disagrees with the identity number"),
    "assessment_incomplete": _l("the assessment is only half given"),
    "disagrees_with_score": _l("is better than the score allows"),
    "unknown_vendor": _l("names a vendor that is not in the register"),
    "unknown_site": _l("names a site that is not in the register"),
    "unknown_caregiver": _l("names a caregiver who is not in the register"),
    "unknown_elder": _l("names an elder who is not in the register"),
    "unknown_category": _l("names a category that is not in the catalogue"),
    "service_not_in_force": _l("names a service that is not in the catalogue on that day"),
    "address_unknown": _l("names no district or town of this city"),
    "coordinates_swapped": _l("latitude and longitude are swapped"),
    "coordinates_elsewhere": _l("lies far from the address"),
    "twice_in_file": _l("stands twice in this file"),
    "person_twice": _l("this person stands under another number already"),
    "caller_unclear": _l(
        "may be a caller of the hotline, but year of birth or number of files disagree"
    ),
    "order_is_placed": _l("this order was placed with other content"),
    "vendor_cannot_serve": _l("the vendor may not serve this"),
    "caregiver_cannot_serve": _l("the caregiver may not serve this"),
    "site_needed": _l("the service is given at a site and none is named"),
    "elder_not_served": _l("the elder has moved, died or is away"),
}
"""Code of a refusal -> what is wrong."""

CURES: dict[str, Any] = {
    "a_value": _l("fill it in"),
    "no_formula": _l("remove the sign at the beginning"),
    "no_colon_or_slash": _l("letters, digits, points and dashes"),
    "printable": _l("type the text again"),
    "date": _l("write a date such as 1942-03-04"),
    "clock": _l("write a time such as 09:30"),
    "yes_no": _l("write Y or N"),
    "latitude": _l("write degrees such as 32.4906"),
    "longitude": _l("write degrees such as 119.9154"),
    "phone": _l("write a mobile number of 11 digits, or area code and number"),
    "id_number": _l("compare it with the card: 17 digits and a digit or X"),
    "uscc": _l("compare it with the licence: 18 characters"),
    "hours": _l("write hours such as 8"),
    "hours_to_24": _l("write more than 0 and at most 24 hours"),
    "0_to_1": _l("write a share from 0 to 1"),
    "district_codes": _l("write codes of six digits, joined by semicolons"),
    "category_codes": _l("write codes such as ZC, joined by semicolons"),
    "known_category": _l("use a category of the catalogue"),
    "known_vendor": _l("load the vendor first, or correct the number"),
    "known_site": _l("load the site first, or correct the number"),
    "known_caregiver": _l("load the caregiver first, or correct the number"),
    "known_elder": _l("load the elder first, or correct the number"),
    "both_coordinates": _l("give both coordinates or none"),
    "later_date": _l("write a later date"),
    "later_time": _l("write a later time"),
    "date_not_past": _l("renew it, then load the row"),
    "date_past": _l("write a date that has passed"),
    "four_digit_year": _l("write the year in four digits, such as 1942"),
    "as_id_number": _l("correct one of the two"),
    "all_three_or_none": _l("fill in all three columns or none"),
    "within_rest_window": _l("widen the window or shorten the rest"),
    "at_most_16_hours": _l("write two shifts of at most 16 hours"),
    "no_overlap": _l("correct the times"),
    "address": _l("write district, town and community"),
    "lat_lng": _l("latitude first: about 32, longitude: about 120"),
    "near_address": _l("correct the coordinates or leave both empty"),
    "one_row": _l("keep one of the rows"),
    "one_row_a_person": _l("use the number that the person has"),
    "same_caller": _l(
        "ask the person; where it is somebody else, leave the telephone out of this row"
    ),
    "new_order_id": _l("end the order and place a new one under a new number"),
}
"""Kind of value that would be right -> the cure."""


def problem(refusal: Refusal) -> str:
    """Return what is wrong, in the present language."""
    return str(PROBLEMS.get(refusal.code, refusal.code))


def cure(refusal: Refusal) -> str:
    """Return what to do about it, in the present language."""
    kind = refusal.expected
    if kind in CURES:
        return str(CURES[kind])
    if kind.startswith(("one_of:", "some_of:")):
        values = kind.partition(":")[2].replace("|", " ")
        return gettext("use %(values)s", values=values)
    if match := re.fullmatch(r"(-?\d+)_to_(-?\d+)", kind):
        return gettext("write a number from %(least)s to %(most)s", least=match[1], most=match[2])
    if match := re.fullmatch(r"at_most_(\d+)", kind):
        return gettext("use at most %(most)s characters", most=match[1])
    if refusal.code in ("missing_column", "unknown_column"):
        return gettext("the heading must be %(columns)s", columns=kind)
    if refusal.code in ("too_few_cells", "too_many_cells"):
        return gettext("the heading has %(columns)s columns", columns=kind)
    if refusal.code == "broken_encoding":
        return gettext("save the file as UTF-8 or GB18030")
    if refusal.code == "line_too_long":
        return gettext("use at most %(most)s characters", most=kind)
    if refusal.code == "quote_not_closed":
        return gettext("close or remove the quotation mark")
    return kind or gettext("correct the row and load it again")
