"""A proof names rows that stand without a record, and records that stand without a row."""

from __future__ import annotations

from marketplace.kernel.findings import Finding, both_ways, missing


def said(findings):
    return [str(f) for f in findings]


def test_what_agrees_both_ways_is_no_finding():
    rows = {("A", 1, 500), ("B", 1, 700)}
    assert said(both_ways("step", written=rows, recorded=set(rows), called_by=2)) == []


def test_a_row_without_a_record_and_a_record_without_a_row_are_named_in_order():
    written, recorded = {("C", 1), ("A", 1), ("B", 1)}, {("B", 1), ("E", 1), ("D", 1)}
    assert said(both_ways("step", written=written, recorded=recorded, called_by=2)) == [
        "step A/1: nobody recorded it",
        "step C/1: nobody recorded it",
        "step D/1: it was recorded and is missing",
        "step E/1: it was recorded and is missing",
    ]


def test_a_row_of_which_one_value_was_changed_is_found_on_both_sides():
    found = both_ways("step", written={("A", 501, None)}, recorded={("A", 500, "why")})
    assert said(found) == [
        "step A: nobody recorded it",
        "step A: it was recorded and is missing",
    ]


def test_rows_that_are_gone_are_named_in_order():
    assert said(missing("run", {"B", "A"})) == [
        "run A: it was recorded and is missing",
        "run B: it was recorded and is missing",
    ]


def test_a_finding_says_what_was_read_where_there_is_something_to_say():
    assert str(Finding("run", "A", "it changed")) == "run A: it changed"
    assert str(Finding("run", "A", "it changed", "5 lines")) == "run A: it changed (5 lines)"
