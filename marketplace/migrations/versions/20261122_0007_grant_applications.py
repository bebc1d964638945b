"""grants on application, once for a home in some years

Revision ID: 0007
Revises: 0006
Create Date: 2026-11-22 01:10:00

"""
from alembic import op
import sqlalchemy as sa

revision = '0007'
down_revision = '0006'
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        'home_grant',
        sa.Column('programme_code', sa.String(length=12), nullable=False),
        sa.Column('home_sha256', sa.String(length=64), nullable=False),
        sa.Column('last_on', sa.Date(), nullable=False),
        sa.PrimaryKeyConstraint('programme_code', 'home_sha256', name=op.f('pk_home_grant')),
    )
    op.create_table(
        'grant_application',
        sa.Column('id', sa.String(length=40), nullable=False),
        sa.Column('programme_code', sa.String(length=12), nullable=False),
        sa.Column('elder_id', sa.String(length=40), nullable=False),
        sa.Column('home_sha256', sa.String(length=64), nullable=False),
        sa.Column('note', sa.String(length=200), nullable=False),
        sa.Column('state', sa.String(length=10), nullable=False),
        sa.Column('applied_by', sa.String(length=40), nullable=False),
        sa.Column('applied_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('decided_by', sa.String(length=40), nullable=True),
        sa.Column('decided_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('reason', sa.String(length=200), nullable=True),
        sa.CheckConstraint("(state = 'applied') = (decided_by IS NULL)", name=op.f('ck_grant_application_decided')),
        sa.CheckConstraint("decided_by IS NULL OR decided_by <> applied_by", name=op.f('ck_grant_application_two_persons')),
        sa.CheckConstraint("state IN ('applied', 'approved', 'refused')", name=op.f('ck_grant_application_state')),
        sa.ForeignKeyConstraint(['elder_id'], ['elder.id'], name=op.f('fk_grant_application_elder_id_elder')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_grant_application')),
    )
    op.create_index('ix_grant_application_state', 'grant_application', ['state', 'programme_code'])
    op.create_index('ix_grant_application_elder', 'grant_application', ['elder_id'])


def downgrade():
    op.drop_index('ix_grant_application_elder', table_name='grant_application')
    op.drop_index('ix_grant_application_state', table_name='grant_application')
    op.drop_table('grant_application')
    op.drop_table('home_grant')
