"""Questions that read whole tables stay linear where the planner does not know of the rows yet."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from marketplace.kernel.db import whole_tables

WITHOUT_A_LINE = """
    DECLARE lines NO SCROLL CURSOR FOR
    SELECT r.id FROM redeemed r LEFT JOIN line l ON l.work_order_id = r.id AND l.kind = 'visit'
    WHERE l.id IS NULL ORDER BY r.id
"""


@pytest.fixture
def month(session):
    """A month's redemptions, known to the planner, and lines that were written since."""
    for statement in (
        "CREATE TEMP TABLE redeemed (id varchar(40) PRIMARY KEY)",
        "CREATE TEMP TABLE line (id varchar(40) PRIMARY KEY, work_order_id varchar(40), kind varchar(10))",
    ):
        session.execute(text(statement))
    rows = [{"n": f"W{n:06d}"} for n in range(5_000)]
    session.execute(text("INSERT INTO redeemed VALUES (:n)"), rows)
    session.execute(text("ANALYZE"))
    session.execute(text("INSERT INTO line VALUES (:n, :n, 'visit')"), rows)
    return session


def plan(session) -> str:
    return "\n".join(session.scalars(text(f"EXPLAIN {WITHOUT_A_LINE}")))


def test_a_fresh_month_is_not_read_once_for_each_of_its_rows(month):
    if month.get_bind().dialect.name != "postgresql":
        with whole_tables(month):
            assert month.scalar(text("SELECT count(*) FROM line")) == 5_000
        return
    assert "Nested Loop" in plan(month), "the planner knows better: the test shows nothing"
    with whole_tables(month):
        assert "Nested Loop" not in plan(month)
    assert "Nested Loop" in plan(month), "it ends with the question"
