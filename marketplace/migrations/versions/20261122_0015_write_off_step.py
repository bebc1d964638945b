"""what vendors owe, given up by two persons

Revision ID: 0015
Revises: 0014
"""

# ruff: noqa: E501 -- a trigger is read best on one line.

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

TRIGGERS = {
    "sqlite": [
        "CREATE TRIGGER write_off_step_no_update BEFORE UPDATE ON write_off_step BEGIN SELECT RAISE(ABORT, 'write_off_step: rows are never changed or deleted'); END",
        "CREATE TRIGGER write_off_step_no_delete BEFORE DELETE ON write_off_step BEGIN SELECT RAISE(ABORT, 'write_off_step: rows are never changed or deleted'); END",
    ],
    "postgresql": [
        "CREATE TRIGGER write_off_step_no_update BEFORE UPDATE ON write_off_step FOR EACH ROW EXECUTE FUNCTION nuanju_refuse_change()",
        "CREATE TRIGGER write_off_step_no_truncate BEFORE TRUNCATE ON write_off_step FOR EACH STATEMENT EXECUTE FUNCTION nuanju_refuse_change()",
        "CREATE TRIGGER write_off_step_no_delete BEFORE DELETE ON write_off_step FOR EACH ROW EXECUTE FUNCTION nuanju_refuse_change()",
    ],
}


def upgrade() -> None:
    op.create_table(
        "write_off_step",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("previous", sa.Integer(), nullable=True),
        sa.Column("vendor_id", sa.String(length=40), nullable=False),
        sa.Column("district_code", sa.String(length=6), nullable=False),
        sa.Column("fen", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by", sa.String(length=40), nullable=False),
        sa.CheckConstraint(
            "(number = 1 AND previous IS NULL) OR (number = 2 AND previous = 1)",
            name=op.f("ck_write_off_step_in_order"),
        ),
        sa.CheckConstraint("fen > 0", name=op.f("ck_write_off_step_fen")),
        sa.ForeignKeyConstraint(
            ["id", "previous"],
            ["write_off_step.id", "write_off_step.number"],
            name="fk_write_off_step_previous",
        ),
        sa.ForeignKeyConstraint(
            ["vendor_id"], ["vendor.id"], name=op.f("fk_write_off_step_vendor_id_vendor")
        ),
        sa.PrimaryKeyConstraint("id", "number", name=op.f("pk_write_off_step")),
        sa.UniqueConstraint("id", "by", name=op.f("uq_write_off_step_id_by")),
    )
    op.create_index("ix_write_off_step_vendor", "write_off_step", ["vendor_id", "district_code"])
    for statement in TRIGGERS[op.get_bind().dialect.name]:
        op.execute(statement)


def downgrade() -> None:
    op.drop_table("write_off_step")
