"""programme changes: proposed by one person, released by a second

Revision ID: 0004
Revises: 0003
Create Date: 2026-11-22 00:40:00

"""
from alembic import op
import sqlalchemy as sa

revision = '0004'
down_revision = '0003'
branch_labels = None
depends_on = None

FROZEN = (
    'id, programme_code, valid_from, content, content_sha256, base_sha256, reason, period, trial,'
    ' proposed_by, proposed_at'
)
REFUSE = "SELECT RAISE(ABORT, 'programme_change: rows are never changed or deleted')"

# What the database itself refuses, by dialect.
TRIGGERS = {
    'sqlite': [
        f"CREATE TRIGGER programme_change_no_update BEFORE UPDATE OF {FROZEN} ON programme_change BEGIN {REFUSE}; END",
        f"CREATE TRIGGER programme_change_no_delete BEFORE DELETE ON programme_change BEGIN {REFUSE}; END",
    ],
    'postgresql': [
        f'CREATE TRIGGER programme_change_no_update BEFORE UPDATE OF {FROZEN} ON programme_change FOR EACH ROW EXECUTE FUNCTION nuanju_refuse_change()',
        'CREATE TRIGGER programme_change_no_truncate BEFORE TRUNCATE ON programme_change FOR EACH STATEMENT EXECUTE FUNCTION nuanju_refuse_change()',
        'CREATE TRIGGER programme_change_no_delete BEFORE DELETE ON programme_change FOR EACH ROW EXECUTE FUNCTION nuanju_refuse_change()',
    ],
}


def upgrade():
    op.create_table(
        'programme_change',
        sa.Column('id', sa.String(length=40), nullable=False),
        sa.Column('programme_code', sa.String(length=12), nullable=False),
        sa.Column('valid_from', sa.Date(), nullable=False),
        sa.Column('content', sa.Text(), nullable=False),
        sa.Column('content_sha256', sa.String(length=64), nullable=False),
        sa.Column('base_sha256', sa.String(length=64), nullable=False),
        sa.Column('reason', sa.String(length=200), nullable=False),
        sa.Column('period', sa.String(length=7), nullable=False),
        sa.Column('trial', sa.JSON(), nullable=False),
        sa.Column('state', sa.String(length=10), nullable=False),
        sa.Column('proposed_by', sa.String(length=40), nullable=False),
        sa.Column('proposed_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('released_by', sa.String(length=40), nullable=True),
        sa.Column('released_at', sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("(state = 'released') = (released_by IS NOT NULL)", name=op.f('ck_programme_change_released')),
        sa.CheckConstraint("released_by IS NULL OR released_by <> proposed_by", name=op.f('ck_programme_change_two_persons')),
        sa.CheckConstraint("state IN ('proposed', 'released', 'withdrawn')", name=op.f('ck_programme_change_state')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_programme_change')),
    )
    op.create_index('ix_programme_change_state', 'programme_change', ['state', 'programme_code'])
    for statement in TRIGGERS[op.get_bind().dialect.name]:
        op.execute(statement)


def downgrade():
    op.drop_index('ix_programme_change_state', table_name='programme_change')
    op.drop_table('programme_change')
