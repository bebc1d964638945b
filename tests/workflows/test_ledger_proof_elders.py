"""No fact of an elder that money is decided on can be tampered with unseen."""

# ruff: noqa: E501 -- a statement of SQL is read best on one line.

from __future__ import annotations

from marketplace.elders import history, witness
from tests.workflows.books import (
    CHANGE,
    DELETE,
    INSERT,
    SWAP,
    TODAY,
    books,
    every_way,
    open_the_doors,
    sealed_books,
    tamper,
    unseen,
    ways_done,
)

__all__ = ["books", "sealed_books"]

TAMPERINGS = [
    (
        "elder_fact",
        CHANGE,
        "UPDATE elder_fact SET value = 'N' WHERE elder_id = 'E1' AND value = 'Y'",
        "of E1: it is not what was recorded",
    ),
    (
        "elder_fact",
        CHANGE,
        "UPDATE elder_fact SET from_on = '2026-01-01' WHERE elder_id = 'E1' AND value = 'Y'",
        "of E1: it is not what was recorded",
    ),
    (
        "elder_fact",
        DELETE,
        "DELETE FROM elder_fact WHERE elder_id = 'E2'",
        "it was recorded and is missing",
    ),
    (
        "elder_fact",
        INSERT,
        "INSERT INTO elder_fact SELECT 99, elder_id, 'income_class', 'tekun', from_on, source, recorded_at, recorded_by FROM elder_fact WHERE elder_id = 'E1' AND value = 'Y'",
        "elder_fact 99 of E1: nobody recorded it",
    ),
    (
        "elder_fact",
        SWAP,
        "UPDATE elder_fact SET elder_id = CASE elder_id WHEN 'E1' THEN 'E2' ELSE 'E1' END",
        "of E2: it is not what was recorded",
    ),
    (
        "assessment",
        CHANGE,
        "UPDATE assessment SET level = 4 WHERE elder_id = 'E1'",
        "of E1: it is not what was recorded",
    ),
    (
        "assessment",
        CHANGE,
        "UPDATE assessment SET valid_until = '2028-02-28' WHERE elder_id = 'E1'",
        "of E1: it is not what was recorded",
    ),
    (
        "assessment",
        DELETE,
        "DELETE FROM assessment WHERE elder_id = 'E1'",
        "it was recorded and is missing",
    ),
    (
        "assessment",
        INSERT,
        "INSERT INTO assessment SELECT 'A-x', elder_id, '2026-10-01', '2027-09-30', 10, 4, assessor FROM assessment WHERE elder_id = 'E1'",
        "assessment A-x of E1: nobody recorded it",
    ),
    (
        "assessment",
        SWAP,
        "UPDATE assessment SET assessed_on = valid_until, valid_until = assessed_on",
        "of E2: it is not what was recorded",
    ),
    (
        "elder",
        CHANGE,
        "UPDATE elder SET income_class = 'tekun' WHERE id = 'E1'",
        "elder E1: its income_class is not what was recorded",
    ),
    (
        "elder",
        CHANGE,
        "UPDATE elder SET born_on = '1920-01-01' WHERE id = 'E2'",
        "elder E2: its born_on is not what was recorded",
    ),
    (
        "elder",
        CHANGE,
        "UPDATE elder SET lives_alone = (1 = 0) WHERE id = 'E2'",
        "elder E2: its lives_alone is not what was recorded",
    ),
    (
        "elder",
        DELETE,
        "DELETE FROM elder WHERE id = 'E2'",
        "elder E2: it was recorded and is missing",
    ),
    (
        "elder",
        INSERT,
        "INSERT INTO elder (id, name, initials, gender, born_on, id_number_sealed, id_number_index, address, district_code, lat, lng, location_level, hukou_local, income_class, lives_alone, special, door_notes, status, row_sha256, updated_at) SELECT 'E9', name, initials, gender, born_on, id_number_sealed, 'i9', address, district_code, lat, lng, location_level, hukou_local, income_class, lives_alone, special, door_notes, status, row_sha256, updated_at FROM elder WHERE id = 'E1'",
        "elder E9: nobody recorded it",
    ),
    (
        "elder",
        SWAP,
        "UPDATE elder SET special = income_class, income_class = status, status = income_class WHERE id = 'E1'",
        "elder E1: its special is not what was recorded",
    ),
]


def test_a_fact_changed_by_hand_is_found_and_named(session, books):
    assert unseen(session, TAMPERINGS) == []


def test_every_table_of_facts_is_tampered_with_in_each_way():
    assert ways_done(TAMPERINGS) == every_way([*witness.TABLES, witness.ELDER])


def test_a_column_changed_by_hand_is_found_after_another_was_written_by_a_list(session, books):
    open_the_doors(session)
    tamper(session, "elder", "UPDATE elder SET income_class = 'tekun' WHERE id = 'E1'")
    history.change(session, "E1", "hukou_local", False, **TODAY)
    session.flush()
    assert [str(f) for f in witness.verify(session.connection())] == [
        "elder E1: its income_class is not what was recorded"
    ]
