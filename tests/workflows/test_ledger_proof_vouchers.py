"""No grant, split, redemption, programme or application can be tampered with unseen."""

# ruff: noqa: E501 -- a statement of SQL is read best on one line.

from __future__ import annotations

from marketplace.vouchers import verify as ledger_verify
from tests.workflows.books import (
    CHANGE,
    DELETE,
    INSERT,
    LEDGER,
    SWAP,
    books,
    every_way,
    sealed_books,
    unseen,
    ways_done,
)

__all__ = ["books", "sealed_books"]

TABLES = ({*ledger_verify.FROZEN} - {*LEDGER}) | {"grant_run"}

TAMPERINGS = [
    (
        "entitlement",
        CHANGE,
        "UPDATE entitlement SET ends_on = '2027-12-31' WHERE account_id = 'ent:LV:E1:2026-11'",
        "ent:LV:E1:2026-11",
    ),
    (
        "entitlement",
        DELETE,
        "DELETE FROM entitlement WHERE account_id = 'ent:LV:E1:2026-12'",
        "ent:LV:E1:2026-12",
    ),
    (
        "entitlement",
        INSERT,
        "INSERT INTO entitlement SELECT 'ent:LV:E1:2027-01', elder_id, programme_code, programme_version, slot, tier, district_code, '2027-01', 0, unit, granted, valid_from, ends_on, grant_run_id, replaces_id FROM entitlement WHERE account_id = 'ent:LV:E1:2026-12'",
        "ent:LV:E1:2027-01",
    ),
    (
        "entitlement",
        SWAP,
        "UPDATE entitlement SET valid_from = ends_on, ends_on = valid_from WHERE account_id = 'ent:LV:E1:2026-11'",
        "ent:LV:E1:2026-11",
    ),
    (
        "price_split",
        CHANGE,
        "UPDATE price_split SET price_fen = price_fen - 1 WHERE work_order_id = 'W1'",
        "price_split W1",
    ),
    (
        "price_split",
        CHANGE,
        "UPDATE price_split SET state = 'held' WHERE work_order_id = 'W5'",
        "price_split W5",
    ),
    (
        "price_split",
        CHANGE,
        "UPDATE price_split SET elder_id = 'E2' WHERE work_order_id = 'W1'",
        "price_share W1",
    ),
    (
        "price_split",
        CHANGE,
        "UPDATE price_split SET at = '2026-11-22 00:00:00' WHERE work_order_id = 'W6'",
        "price_split W6",
    ),
    (
        "price_split",
        CHANGE,
        "UPDATE price_split SET minutes = minutes + 1 WHERE work_order_id = 'W6'",
        "price_split W6",
    ),
    (
        "price_split",
        CHANGE,
        "UPDATE price_split SET sold = (SELECT o.sold FROM price_split o WHERE o.work_order_id = 'W4') WHERE work_order_id = 'W1'",
        "price_split W1",
    ),
    ("price_split", DELETE, "DELETE FROM price_split WHERE work_order_id = 'W6'", "price_share W6"),
    (
        "price_split",
        INSERT,
        "INSERT INTO price_split SELECT 'W99', revision, elder_id, district_code, period, use_on, price_fen, minutes, sold, state, at FROM price_split WHERE work_order_id = 'W1'",
        "price_split W99",
    ),
    (
        "price_split",
        SWAP,
        "UPDATE price_split SET price_fen = 29000 - price_fen WHERE work_order_id IN ('W1', 'W4')",
        "price_split W1",
    ),
    (
        "price_share",
        CHANGE,
        "UPDATE price_share SET fen = fen + 1 WHERE work_order_id = 'W1' AND position = 1",
        "W1",
    ),
    (
        "price_share",
        CHANGE,
        "UPDATE price_share SET sold_sha256 = NULL WHERE work_order_id = 'W1' AND position = 1",
        "price_share W1",
    ),
    (
        "price_share",
        SWAP,
        "UPDATE price_share SET position = 11 - position WHERE work_order_id = 'W1'",
        "price_share W1",
    ),
    (
        "price_share",
        DELETE,
        "DELETE FROM price_share WHERE work_order_id = 'W6' AND position = 1",
        "W6",
    ),
    (
        "price_share",
        INSERT,
        "INSERT INTO price_share SELECT work_order_id, revision, 9, programme_code, programme_version, tier, unit, fen, minutes, rate_fen_per_hour, account_id, NULL, NULL, sold_sha256 FROM price_share WHERE work_order_id = 'W1' AND position = 2",
        "price_split W1",
    ),
    (
        "redemption",
        CHANGE,
        "UPDATE redemption SET vendor_id = 'V2' WHERE work_order_id = 'W1'",
        "redemption W1",
    ),
    (
        "redemption",
        CHANGE,
        "UPDATE redemption SET at = '2026-11-22 00:00:00' WHERE work_order_id = 'W1'",
        "redemption W1",
    ),
    ("redemption", DELETE, "DELETE FROM redemption WHERE work_order_id = 'W1'", "W1"),
    (
        "redemption",
        INSERT,
        "INSERT INTO redemption SELECT 'W6', 'X-W6', vendor_id, period, price_fen, minutes_delivered, at FROM redemption WHERE work_order_id = 'W1'",
        "redemption W6",
    ),
    (
        "redemption",
        SWAP,
        "UPDATE redemption SET visit_id = '' WHERE work_order_id = 'W1'; UPDATE redemption SET visit_id = 'X-W1' WHERE work_order_id = 'W2'; UPDATE redemption SET visit_id = 'X-W2' WHERE work_order_id = 'W1'",
        "W1",
    ),
    ("grant_run", CHANGE, "UPDATE grant_run SET fen = fen - 1", "grant_run"),
    ("grant_run", CHANGE, "UPDATE grant_run SET released_by = 'three'", "grant_run"),
    ("grant_run", CHANGE, "UPDATE grant_run SET previewed_at = '2026-11-01 00:00:00'", "grant_run"),
    ("grant_run", CHANGE, "UPDATE grant_run SET released_at = '2026-11-01 00:00:00'", "grant_run"),
    ("grant_run", DELETE, "DELETE FROM grant_run WHERE period = '2026-12'", "grant_run"),
    (
        "grant_run",
        INSERT,
        "INSERT INTO grant_run SELECT 'GR-x', period, district_code, state, previewed_by, previewed_at, released_by, released_at, preview_sha256, new, minutes, fen FROM grant_run WHERE period = '2026-12'",
        "grant_run GR-x",
    ),
    (
        "grant_run",
        SWAP,
        "UPDATE grant_run SET previewed_by = released_by, released_by = previewed_by",
        "grant_run",
    ),
    (
        "programme_change",
        CHANGE,
        "UPDATE programme_change SET valid_from = '2027-02-01' WHERE state = 'released'",
        "programme_change",
    ),
    (
        "programme_change",
        CHANGE,
        "UPDATE programme_change SET state = 'released', released_by = 'u-two', released_at = '2026-12-02 00:00:00' WHERE state = 'proposed'",
        "programme_change",
    ),
    (
        "programme_change",
        CHANGE,
        "UPDATE programme_change SET released_by = 'x' WHERE state = 'released'",
        "programme_change",
    ),
    (
        "programme_change",
        DELETE,
        "DELETE FROM programme_change WHERE state = 'released'",
        "programme_change",
    ),
    (
        "programme_change",
        INSERT,
        "INSERT INTO programme_change SELECT 'PC-x', programme_code, valid_from, content, content_sha256, base_sha256, reason, period, trial, state, proposed_by, proposed_at, released_by, released_at FROM programme_change WHERE state = 'released'",
        "programme_change PC-x",
    ),
    (
        "programme_change",
        SWAP,
        "UPDATE programme_change SET base_sha256 = content_sha256, content_sha256 = base_sha256",
        "programme_change",
    ),
    (
        "grant_application",
        CHANGE,
        "UPDATE grant_application SET state = 'approved' WHERE state = 'refused'",
        "grant_application",
    ),
    (
        "grant_application",
        CHANGE,
        "UPDATE grant_application SET note = 'x' WHERE state = 'refused'",
        "grant_application",
    ),
    (
        "grant_application",
        DELETE,
        "DELETE FROM grant_application WHERE state = 'refused'",
        "grant_application",
    ),
    (
        "grant_application",
        INSERT,
        "INSERT INTO grant_application SELECT 'GA-x', programme_code, elder_id, home_sha256, note, state, applied_by, applied_at, decided_by, decided_at, reason FROM grant_application WHERE state = 'refused'",
        "grant_application GA-x",
    ),
    (
        "grant_application",
        SWAP,
        "UPDATE grant_application SET elder_id = CASE elder_id WHEN 'E1' THEN 'E2' ELSE 'E1' END WHERE state = 'approved'",
        "grant_application",
    ),
    ("home_grant", CHANGE, "UPDATE home_grant SET last_on = '2021-01-01'", "home_grant ADAPT"),
    (
        "home_grant",
        DELETE,
        "DELETE FROM home_grant WHERE last_on = (SELECT MAX(last_on) FROM home_grant)",
        "home_grant ADAPT",
    ),
    (
        "home_grant",
        INSERT,
        "INSERT INTO home_grant SELECT 'BED', home_sha256, last_on FROM home_grant",
        "home_grant BED",
    ),
    (
        "home_grant",
        SWAP,
        "UPDATE home_grant SET last_on = CASE WHEN last_on = (SELECT MAX(last_on) FROM home_grant) THEN (SELECT MIN(last_on) FROM home_grant) ELSE (SELECT MAX(last_on) FROM home_grant) END",
        "home_grant ADAPT",
    ),
]


def test_a_row_of_grants_or_splits_changed_by_hand_is_found_and_named(session, books):
    assert unseen(session, TAMPERINGS) == []


def test_every_table_of_vouchers_is_tampered_with_in_each_way():
    assert ways_done(TAMPERINGS) == every_way(TABLES)
