from datetime import UTC, date, datetime

import pytest

from marketplace.kernel.audit import AuditEvent
from marketplace.kernel.clock import Period, instant_of, second_of
from marketplace.kernel.commands import once
from marketplace.kernel.crypto import SealBroken, Vault
from marketplace.kernel.db import TransactionOpen, transaction
from marketplace.kernel.errors import KeyReused, WrongState
from marketplace.kernel.log import mask_personal
from marketplace.kernel.money import fen_from_yuan, yuan_from_fen

NOON = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "fen"), [("35.05", 3505), ("0.1", 10), ("800", 80000), ("-2.30", -230)]
)
def test_yuan_become_whole_fen(text, fen):
    assert fen_from_yuan(text) == fen


@pytest.mark.parametrize("text", ["1.005", "NaN", "1e400", "twelve", "", "Infinity"])
def test_what_is_no_whole_fen_is_refused(text):
    with pytest.raises(ValueError):
        fen_from_yuan(text)


def test_negative_fen_print_with_one_sign():
    assert yuan_from_fen(-5) == "-0.05"


def test_a_day_in_taizhou_begins_at_16_utc_the_day_before():
    assert instant_of(date(2026, 11, 23), 0) == datetime(2026, 11, 22, 16, tzinfo=UTC)
    assert second_of(date(2026, 11, 23), instant_of(date(2026, 11, 23), 90_000)) == 90_000


def test_periods_step_over_the_year():
    assert str(Period.parse("2026-12").next()) == "2027-01"
    assert Period.of(date(2028, 2, 3)).last == date(2028, 2, 29)


@pytest.mark.parametrize("text", ["2026-13", "26-01", "2026-1", "2026"])
def test_what_is_no_month_is_refused(text):
    with pytest.raises(ValueError):
        Period.parse(text)


def test_an_error_is_named_by_its_reason():
    assert WrongState(id="w1", state="done", expected=["assigned"]).code == "wrong_state"


def test_sealed_values_open_only_unchanged_and_with_their_key():
    vault = Vault({"k1": b"a" * 32})
    sealed = vault.seal("321202194203041234")
    assert vault.open(sealed) == "321202194203041234"
    with pytest.raises(SealBroken):
        vault.open(sealed[:-1] + bytes([sealed[-1] ^ 1]))
    with pytest.raises(SealBroken):
        Vault({"k2": b"b" * 32}).open(sealed)


def test_a_rotated_vault_opens_old_values_and_finds_them_by_the_same_index():
    old = Vault({"k1": b"a" * 32})
    new = Vault({"k2": b"b" * 32, "k1": b"a" * 32})
    assert new.open(old.seal("x")) == "x"
    assert new.index("32120219420304123x") == old.index("32120219420304123X")


def test_logs_carry_no_phone_and_no_identity_number():
    event = mask_personal(None, "info", {"event": "called 13812342210 about 321202194203041234"})
    assert "13812342210" not in event["event"]
    assert "321202194203041234" not in event["event"]


def _claim(session, content, run):
    with transaction(session):
        return once(
            session, key="k", actor_id="a", command="place", content=content, at=NOON, run=run
        )


def test_a_repeated_command_returns_the_first_answer_and_runs_once(session):
    runs = []

    def run():
        runs.append(1)
        return {"id": "o1"}

    assert _claim(session, {"x": 1}, run) == {"id": "o1"}
    assert _claim(session, {"x": 1}, run) == {"id": "o1"}
    assert len(runs) == 1


def test_a_key_that_returns_with_other_content_is_refused(session):
    _claim(session, {"x": 1}, lambda: {})
    with pytest.raises(KeyReused):
        _claim(session, {"x": 2}, lambda: {})


def test_a_failed_command_leaves_its_key_free(session):
    def fail():
        raise WrongState(id="w")

    with pytest.raises(WrongState):
        _claim(session, {"x": 1}, fail)
    assert _claim(session, {"x": 1}, lambda: {"ok": True}) == {"ok": True}


def test_a_workflow_may_not_call_another(session):
    with transaction(session), pytest.raises(TransactionOpen), transaction(session):
        pass


def test_changes_made_outside_a_workflow_are_refused(session):
    session.add(
        AuditEvent(
            at=NOON, actor_id="a", role="system", action="x", subject_kind="y", subject_id="z"
        )
    )
    with pytest.raises(TransactionOpen), transaction(session):
        pass
