"""follow-ups of the hotline, codes that link a family, photos and corrections of visits

Revision ID: 0003
Revises: 0002
Create Date: 2026-11-22 00:20:00

"""
from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision = '0003'
down_revision = '0002'
branch_labels = None
depends_on = None


def upgrade():
    op.create_table('link_code',
    sa.Column('id', sa.String(length=40), nullable=False),
    sa.Column('elder_id', sa.String(length=40), nullable=False),
    sa.Column('code_index', sa.String(length=64), nullable=False),
    sa.Column('powers', sa.String(length=60), nullable=False),
    sa.Column('consent', sa.String(length=80), nullable=False),
    sa.Column('made_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('made_by', sa.String(length=40), nullable=False),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('used_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('used_by', sa.String(length=40), nullable=True),
    sa.ForeignKeyConstraint(['elder_id'], ['elder.id'], name=op.f('fk_link_code_elder_id_elder')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_link_code')),
    sa.UniqueConstraint('code_index', name=op.f('uq_link_code_code_index'))
    )
    with op.batch_alter_table('link_code', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_link_code_elder_id'), ['elder_id'], unique=False)

    op.create_table('follow_up',
    sa.Column('id', sa.String(length=40), nullable=False),
    sa.Column('kind', sa.String(length=12), nullable=False),
    sa.Column('dedup_key', sa.String(length=120), nullable=False),
    sa.Column('elder_id', sa.String(length=40), nullable=False),
    sa.Column('work_order_id', sa.String(length=40), nullable=True),
    sa.Column('reason', sa.String(length=40), nullable=False),
    sa.Column('note', sa.String(length=400), nullable=False),
    sa.Column('made_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('made_by', sa.String(length=40), nullable=False),
    sa.Column('due_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('attempts', sa.Integer(), nullable=False),
    sa.Column('result', sa.String(length=20), nullable=False),
    sa.Column('result_note', sa.String(length=400), nullable=False),
    sa.Column('answers', sa.JSON(), nullable=False),
    sa.Column('done_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('done_by', sa.String(length=40), nullable=True),
    sa.CheckConstraint("kind IN ('call_back', 'welfare', 'complaint', 'ring_back')", name=op.f('ck_follow_up_kind')),
    sa.ForeignKeyConstraint(['elder_id'], ['elder.id'], name=op.f('fk_follow_up_elder_id_elder')),
    sa.ForeignKeyConstraint(['work_order_id'], ['work_order.id'], name=op.f('fk_follow_up_work_order_id_work_order')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_follow_up')),
    sa.UniqueConstraint('dedup_key', name=op.f('uq_follow_up_dedup_key'))
    )
    with op.batch_alter_table('follow_up', schema=None) as batch_op:
        batch_op.create_index('ix_follow_up_due', ['result', 'due_at'], unique=False)
        batch_op.create_index(batch_op.f('ix_follow_up_elder_id'), ['elder_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_follow_up_work_order_id'), ['work_order_id'], unique=False)

    op.create_table('visit_photo',
    sa.Column('evidence_id', sa.String(length=40), nullable=False),
    sa.Column('sealed', sa.LargeBinary(), nullable=False),
    sa.ForeignKeyConstraint(['evidence_id'], ['evidence.id'], name=op.f('fk_visit_photo_evidence_id_evidence')),
    sa.PrimaryKeyConstraint('evidence_id', name=op.f('pk_visit_photo'))
    )

    op.create_table('visit_correction',
    sa.Column('id', sa.String(length=40), nullable=False),
    sa.Column('visit_id', sa.String(length=40), nullable=False),
    sa.Column('work_order_id', sa.String(length=40), nullable=False),
    sa.Column('caregiver_id', sa.String(length=40), nullable=False),
    sa.Column('was_in_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('was_out_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('says_in_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('says_out_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('reason', sa.String(length=200), nullable=False),
    sa.Column('state', sa.String(length=10), nullable=False),
    sa.Column('asked_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('asked_by', sa.String(length=40), nullable=False),
    sa.Column('decided_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('decided_by', sa.String(length=40), nullable=True),
    sa.Column('decision', sa.String(length=200), nullable=False),
    sa.CheckConstraint("state IN ('asked', 'approved', 'refused')", name=op.f('ck_visit_correction_state')),
    sa.ForeignKeyConstraint(['caregiver_id'], ['caregiver.id'], name=op.f('fk_visit_correction_caregiver_id_caregiver')),
    sa.ForeignKeyConstraint(['visit_id'], ['visit.id'], name=op.f('fk_visit_correction_visit_id_visit')),
    sa.ForeignKeyConstraint(['work_order_id'], ['work_order.id'], name=op.f('fk_visit_correction_work_order_id_work_order')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_visit_correction'))
    )
    with op.batch_alter_table('visit_correction', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_visit_correction_caregiver_id'), ['caregiver_id'], unique=False)
        batch_op.create_index('ix_visit_correction_state', ['state', 'asked_at'], unique=False)
        batch_op.create_index(batch_op.f('ix_visit_correction_visit_id'), ['visit_id'], unique=False)


def downgrade():
    op.drop_table('visit_correction')
    op.drop_table('visit_photo')
    op.drop_table('follow_up')
    op.drop_table('link_code')
