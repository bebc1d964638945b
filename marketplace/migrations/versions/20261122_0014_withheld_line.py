"""lines that a release does not pay because their visit was taken back before

Revision ID: 0014
Revises: 0013
"""

# ruff: noqa: E501 -- a trigger is read best on one line.

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

TRIGGERS = {
    "sqlite": [
        "CREATE TRIGGER withheld_line_no_update BEFORE UPDATE ON withheld_line BEGIN SELECT RAISE(ABORT, 'withheld_line: rows are never changed or deleted'); END",
        "CREATE TRIGGER withheld_line_no_delete BEFORE DELETE ON withheld_line BEGIN SELECT RAISE(ABORT, 'withheld_line: rows are never changed or deleted'); END",
    ],
    "postgresql": [
        "CREATE TRIGGER withheld_line_no_update BEFORE UPDATE ON withheld_line FOR EACH ROW EXECUTE FUNCTION nuanju_refuse_change()",
        "CREATE TRIGGER withheld_line_no_truncate BEFORE TRUNCATE ON withheld_line FOR EACH STATEMENT EXECUTE FUNCTION nuanju_refuse_change()",
        "CREATE TRIGGER withheld_line_no_delete BEFORE DELETE ON withheld_line FOR EACH ROW EXECUTE FUNCTION nuanju_refuse_change()",
    ],
}


def upgrade() -> None:
    op.create_table(
        "withheld_line",
        sa.Column("statement_id", sa.String(length=40), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("work_order_id", sa.String(length=40), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["statement_id", "number"],
            ["statement_line.statement_id", "statement_line.number"],
            name="fk_withheld_line_line",
        ),
        sa.ForeignKeyConstraint(
            ["work_order_id"],
            ["work_order.id"],
            name=op.f("fk_withheld_line_work_order_id_work_order"),
        ),
        sa.PrimaryKeyConstraint("statement_id", "number", name=op.f("pk_withheld_line")),
        sa.UniqueConstraint("work_order_id", name=op.f("uq_withheld_line_work_order_id")),
    )
    for statement in TRIGGERS[op.get_bind().dialect.name]:
        op.execute(statement)


def downgrade() -> None:
    op.drop_table("withheld_line")
