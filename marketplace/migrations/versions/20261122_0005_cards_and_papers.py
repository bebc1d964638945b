"""cards and papers

Revision ID: 0005
Revises: 0004

"""
from alembic import op
import sqlalchemy as sa


revision = '0005'
down_revision = '0004'
branch_labels = None
depends_on = None


def upgrade():
    op.create_table('elder_card',
    sa.Column('id', sa.String(length=40), nullable=False),
    sa.Column('elder_id', sa.String(length=40), nullable=False),
    sa.Column('kind', sa.String(length=10), nullable=False),
    sa.Column('number_index', sa.String(length=64), nullable=True),
    sa.Column('tail', sa.String(length=4), nullable=False),
    sa.Column('issued_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('issued_by', sa.String(length=40), nullable=False),
    sa.Column('valid_until', sa.Date(), nullable=False),
    sa.Column('revoked_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('revoked_by', sa.String(length=40), nullable=True),
    sa.Column('revoke_reason', sa.String(length=200), nullable=True),
    sa.CheckConstraint("(kind = 'card') = (number_index IS NOT NULL)", name=op.f('ck_elder_card_number')),
    sa.CheckConstraint("kind IN ('card', 'sheet')", name=op.f('ck_elder_card_kind')),
    sa.CheckConstraint('(revoked_at IS NULL) = (revoked_by IS NULL)', name=op.f('ck_elder_card_revoked')),
    sa.ForeignKeyConstraint(['elder_id'], ['elder.id'], name=op.f('fk_elder_card_elder_id_elder')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_elder_card'))
    )
    with op.batch_alter_table('elder_card', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_elder_card_elder_id'), ['elder_id'], unique=False)
        batch_op.create_index('uq_elder_card_number', ['number_index'], unique=True, sqlite_where=sa.text('revoked_at IS NULL'), postgresql_where=sa.text('revoked_at IS NULL'))

    op.create_table('card_code',
    sa.Column('code_index', sa.String(length=64), nullable=False),
    sa.Column('card_id', sa.String(length=40), nullable=False),
    sa.Column('position', sa.Integer(), nullable=False),
    sa.Column('used_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('used_for', sa.String(length=40), nullable=True),
    sa.CheckConstraint('(used_at IS NULL) = (used_for IS NULL)', name=op.f('ck_card_code_used')),
    sa.ForeignKeyConstraint(['card_id'], ['elder_card.id'], name=op.f('fk_card_code_card_id_elder_card')),
    sa.ForeignKeyConstraint(['used_for'], ['work_order.id'], name=op.f('fk_card_code_used_for_work_order')),
    sa.PrimaryKeyConstraint('code_index', name=op.f('pk_card_code'))
    )
    with op.batch_alter_table('card_code', schema=None) as batch_op:
        batch_op.create_index('ix_card_code_card', ['card_id', 'position'], unique=True)

    op.create_table('paper_slip',
    sa.Column('work_order_id', sa.String(length=40), nullable=False),
    sa.Column('slip_no', sa.String(length=40), nullable=False),
    sa.Column('state', sa.String(length=10), nullable=False),
    sa.Column('first', sa.JSON(), nullable=False),
    sa.Column('first_by', sa.String(length=40), nullable=False),
    sa.Column('first_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('second', sa.JSON(), nullable=True),
    sa.Column('second_by', sa.String(length=40), nullable=True),
    sa.Column('second_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('fields', sa.JSON(), nullable=False),
    sa.CheckConstraint("(state = 'first') = (second_by IS NULL)", name=op.f('ck_paper_slip_second')),
    sa.CheckConstraint("state IN ('first', 'same', 'differs')", name=op.f('ck_paper_slip_state')),
    sa.CheckConstraint('second_by IS NULL OR second_by <> first_by', name=op.f('ck_paper_slip_four_eyes')),
    sa.ForeignKeyConstraint(['work_order_id'], ['work_order.id'], name=op.f('fk_paper_slip_work_order_id_work_order')),
    sa.PrimaryKeyConstraint('work_order_id', name=op.f('pk_paper_slip')),
    sa.UniqueConstraint('slip_no', name=op.f('uq_paper_slip_slip_no'))
    )


def downgrade():
    op.drop_table('paper_slip')
    with op.batch_alter_table('card_code', schema=None) as batch_op:
        batch_op.drop_index('ix_card_code_card')

    op.drop_table('card_code')
    with op.batch_alter_table('elder_card', schema=None) as batch_op:
        batch_op.drop_index('uq_elder_card_number', sqlite_where=sa.text('revoked_at IS NULL'), postgresql_where=sa.text('revoked_at IS NULL'))
        batch_op.drop_index(batch_op.f('ix_elder_card_elder_id'))

    op.drop_table('elder_card')
