"""The commands of civil affairs: suspend a vendor, run another authority's list, from a shell."""

from __future__ import annotations

import json

import pytest

from marketplace.app import db
from marketplace.elders.models import Elder
from marketplace.kernel.actor import Actor, Role
from marketplace.kernel.clock import Period
from marketplace.workflows.grants import grant_period
from tests import files

ID_NUMBER = files.id_number("321204", "19460304", 2)


@pytest.fixture
def shell(app, small_world):
    """A shell on the small city, its first elder findable by an identity number."""
    with app.app_context():
        vault = app.extensions["ports"].vault
        db.session.get(Elder, "E1").id_number_index = vault.index(ID_NUMBER)
        db.session.commit()
    return app.test_cli_runner()


def test_a_vendor_is_suspended_reinstated_and_listed(shell):
    said = shell.invoke(args=["vendor", "suspend", "V1", "--reason", "fraud", "--by", "wang"])
    assert said.exit_code == 0, said.output
    assert json.loads(said.output)["not_moved"] == []
    again = shell.invoke(args=["vendor", "suspend", "V1", "--reason", "fraud", "--by", "wang"])
    assert (again.exit_code, "wrong_state" in again.output) == (1, True)
    back = shell.invoke(args=["vendor", "reinstate", "V1", "--reason", "paid", "--by", "li"])
    assert json.loads(back.output)["state"] == "active"
    [seen] = json.loads(shell.invoke(args=["vendor", "suspensions", "V1"]).output)
    assert (seen["suspended_by"], seen["lifted_by"]) == ("wang", "li")


def test_a_list_names_its_refused_lines_and_ends_with_a_failure(shell, tmp_path):
    path = tmp_path / "deaths.csv"
    path.write_text(f"身份证号,死亡日期,通知书编号\n{ID_NUMBER},2026-11-20,N-1\n123,2026-11-20,\n")
    said = shell.invoke(args=["crosscheck", "run", "deaths", str(path), "--by", "wang"])
    assert said.exit_code == 1
    assert "1 applied, 0 known before, 0 not in the register, 1 refused" in said.output
    assert "deaths.csv:3 id_number: bad_id_number" in said.output
    assert ID_NUMBER not in said.output
    assert json.loads(shell.invoke(args=["crosscheck", "flags"]).output) == []


def test_an_auditors_file_of_seals_grows_and_holds_the_books_to_it(app, shell, tmp_path):
    path = tmp_path / "seals.txt"
    with app.app_context():
        one, two = (Actor(n, Role.SYSTEM) for n in ("one", "two"))
        grant_period(db.session, app.extensions["ports"], one, two, period=Period(2026, 11))
    assert "0 added" in shell.invoke(args=["ledger", "witness", str(path)]).output
    shell.invoke(args=["ledger", "seal"])
    assert "0 seals kept, 1 added" in shell.invoke(args=["ledger", "witness", str(path)]).output
    assert shell.invoke(args=["ledger", "verify", "--witness", str(path)]).exit_code == 0
    path.write_text(path.read_text() + f"2 {'0' * 64}\n")
    for args in (["witness", str(path)], ["verify", "--witness", str(path)]):
        said = shell.invoke(args=["ledger", *args])
        assert (said.exit_code, "ledger_seal 2" in said.output) == (1, True)
        assert "hold these rows against the last backup that was proven" in said.output
    path.write_text("a seal\n")
    said = shell.invoke(args=["ledger", "witness", str(path)])
    assert "line 1" in said.output
