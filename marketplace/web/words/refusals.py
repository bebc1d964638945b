"""Why a rule said no: the sentence of each error code."""

from __future__ import annotations

from typing import Any

from flask_babel import lazy_gettext as _l

from marketplace.kernel.errors import DomainError
from marketplace.web.words.programmes import file_problem

ERRORS: dict[str, Any] = {
    "not_found": _l("There is no such thing, or it is not yours to see."),
    "not_allowed": _l("Your role does not allow this."),
    "second_person_needed": _l(
        "You entered this yourself. A second person does this step: hand it to a colleague."
    ),
    "conflict": _l("Somebody else changed this first. Load the page again."),
    "wrong_state": _l("This order has moved on in the meantime. Load the page again."),
    "key_reused": _l("This was sent before with other content. Load the page again."),
    "visit_not_ended": _l(
        "Nobody checked out of this visit. Let its times be corrected first, or void it."
    ),
    "number_taken": _l("This paper was booked before under its number. Look at the number."),
    "window_passed": _l("That time has passed. Choose a later one."),
    "elder_not_served": _l("The register says that the elder is away. Ring 12349."),
    "contraindicated": _l("That would not be safe at that time. Choose another time or service."),
    "vendor_cannot_serve": _l("This vendor cannot serve it. Let the platform choose."),
    "caregiver_cannot_serve": _l("This helper cannot serve it. Let the platform choose."),
    "site_needed": _l("Choose at which centre."),
    "no_dates": _l("The rule gives no date ahead."),
    "service_not_in_force": _l("This service is not offered on that day."),
    "move_breaks_rule": _l(
        "The checker found that this would break a rule of somebody's day. Nothing was changed."
    ),
    "visit_moved": _l(
        "Somebody else changed one of these visits meanwhile. Nothing was changed; look again."
    ),
    "slot_gone": _l(
        "That time has just gone to somebody else. Here are the times that are free now."
    ),
    "offer_expired": _l("The time to answer has passed; another vendor has been asked."),
    "entitlement_too_small": _l("Somebody used the voucher a moment ago. Look at the price again."),
    "budget_too_small": _l(
        "The programme's money for this year is used up. Look at the price again."
    ),
    "code_wrong": _l("These six digits are not this home's. Ask again, they change."),
    "card_taken": _l("This card is bound already. Take it out of use first."),
    "card_unknown": _l("Nobody was given this card or code. Read it once more."),
    "slip_used": _l("This paper's number stands for another visit."),
    "too_early": _l("It is too early to check in. From 30 minutes before the visit on it works."),
    "too_soon": _l("The helper may still come. Report it half an hour after the latest start."),
    "wait_at_the_door": _l("Wait ten minutes at the door, then report that nobody opened."),
    "date_taken": _l("On that day it is ordered already."),
    "capture_too_late": _l("That month's money is closed; it goes into a correction."),
    "catalogue_file_bad": _l("The catalogue's file has a bad row; nothing was published."),
    "catalogue_unsound": _l("The catalogue did not pass its check; nothing was published."),
    "changed_meanwhile": _l("Orders moved while the month was closing. Close it again."),
    "hold_gone": _l("What was held has been taken or given back already."),
    "hold_missing": _l("The month's grants are not out, so nothing is held yet."),
    "id_taken": _l("This number stands for something else. Load the page again."),
    "period_open": _l("The month has not ended yet."),
    "sample_open": _l("Check every sampled visit first, and reverse the doubtful ones."),
    "notice_runs": _l("The public notice has not ended yet. Release it afterwards."),
    "not_sealed": _l("The ledger is not sealed that far yet. Seal it, then try again."),
    "no_printer": _l("This machine cannot print PDF. Use the printable page."),
    "unknown_programme": _l("No such programme is in force on that day."),
    "plan_broken": _l("The checker found a broken rule, so the plan was not written."),
    "not_entitled": _l("The programme's rules do not cover this person."),
    "granted_before": _l("This home had the grant already; its years are not over."),
    "hours_capped": _l("One person may not keep more hours than that."),
    "no_hours": _l("There are no hours to give."),
    "package_not_delivered": _l(
        "The month's package had too few visits; it is not paid without a person's decision."
    ),
    "change_refused": _l("The programme's file cannot be taken: %(problem)s"),
    "change_outdated": _l("The programme changed since this was proposed. Propose it again."),
    "outside_away": _l(
        "The outside payer %(programme_code)s cannot be asked now. Nothing was granted; try again later."
    ),
    "preview_outdated": _l("Facts changed since the preview. Look at it again."),
    "register_changed": _l("Somebody wrote the same register meanwhile. Load the file again."),
    "sign_in_refused": _l("Name, password or code does not fit."),
    "second_factor_missing": _l(
        "This account needs a code from an app. Sign in once in a browser and set it up there."
    ),
    "version_is_published": _l("A published version does not change; give the change a new date."),
    "photo_forbidden": _l("Nobody is photographed while being washed or cared for."),
    "correction_waits": _l("A correction of this visit waits for its decision already."),
    "link_code_wrong": _l("This code is not good: mistyped, used, or older than half an hour."),
    "already_linked": _l("This account is linked to this elder already."),
    "bad_input": _l("One answer does not fit. Look at the marked line."),
}
"""Error code -> sentence. Facts of the error may be named as ``%(fact)s``."""

UNSAFE: dict[str, Any] = {
    "bath_after_meal": _l(
        "A meal is brought around then. A bath is safe before it, or an hour after it: choose such a time."
    ),
    "bath_needs_two_people": _l(
        "This elder needs two people for a bath. Choose a bath for which two people come."
    ),
}
"""Rule that found a service unsafe -> what to choose instead."""

UNFIT: dict[str, Any] = {
    "at_device": _l(
        "The phone's time is wrong. Let the phone set its time by itself, then try once more."
    ),
}
"""Field that no page shows -> what to do where its value does not fit."""

UNMARKED: dict[str, Any] = {
    "yuan": _l("Write the sum as 150.00, above zero."),
    "fen": _l("The sum must be above zero and not more than what is owed."),
    "reason": _l("Write in a few words why; nothing was changed."),
    "receipt": _l("Type the bank's number of the payment; nothing was booked."),
    "reference": _l(
        "Type the number of the recording or of the visit in which the elder said so; nothing was changed."
    ),
    "minutes": _l("The minutes must lie between one and the standard; nothing was decided."),
}
"""Field of a form that is not shown again with its line marked -> what would fit."""

_UNMARKED = _l(
    "Something typed does not fit, so nothing was changed. Look at it and send it again."
)

_UNKNOWN = _l("This could not be done. Nothing was changed, no money and no voucher was moved.")


def error_sentence(error: DomainError) -> str:
    """Return the sentence for a refusal, with its facts filled in."""
    if error.code == "bad_input" and error.field in UNFIT:
        return str(UNFIT[error.field])
    rule = error.facts.get("rule") if error.code == "contraindicated" else None
    sentence, facts = str(UNSAFE.get(rule or "") or ERRORS.get(error.code, _UNKNOWN)), error.facts
    if error.code == "change_refused":
        facts = {**facts, "problem": file_problem(facts)}
    try:
        return sentence % facts if "%(" in sentence else sentence
    except (KeyError, TypeError, ValueError):
        return str(_UNKNOWN)


def unmarked_sentence(error: DomainError) -> str:
    """Return the sentence for a refusal that is said above a page on which no line can be marked."""
    if error.code == "bad_input" and error.field not in UNFIT:
        return str(UNMARKED.get(error.field or "", _UNMARKED))
    return error_sentence(error)
