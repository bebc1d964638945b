"""vendor suspension

Revision ID: 0002
Revises: 0001

"""
from alembic import op
import sqlalchemy as sa


revision = '0002'
down_revision = '0001'
branch_labels = None
depends_on = None


# What the database itself refuses, by dialect.
TRIGGERS = {
    'sqlite': [
        "CREATE TRIGGER suspension_move_no_update BEFORE UPDATE ON suspension_move BEGIN SELECT RAISE(ABORT, 'suspension_move: rows are never changed or deleted'); END",
        "CREATE TRIGGER suspension_move_no_delete BEFORE DELETE ON suspension_move BEGIN SELECT RAISE(ABORT, 'suspension_move: rows are never changed or deleted'); END",
    ],
    'postgresql': [
        'CREATE TRIGGER suspension_move_no_update BEFORE UPDATE ON suspension_move FOR EACH ROW EXECUTE FUNCTION nuanju_refuse_change()',
        'CREATE TRIGGER suspension_move_no_truncate BEFORE TRUNCATE ON suspension_move FOR EACH STATEMENT EXECUTE FUNCTION nuanju_refuse_change()',
        'CREATE TRIGGER suspension_move_no_delete BEFORE DELETE ON suspension_move FOR EACH ROW EXECUTE FUNCTION nuanju_refuse_change()',
    ],
}


def upgrade():
    op.create_table('vendor_suspension',
    sa.Column('id', sa.String(length=40), nullable=False),
    sa.Column('vendor_id', sa.String(length=40), nullable=False),
    sa.Column('reason', sa.String(length=200), nullable=False),
    sa.Column('suspended_by', sa.String(length=40), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('plans', sa.Integer(), nullable=False),
    sa.Column('moved_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('lifted_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('lifted_by', sa.String(length=40), nullable=True),
    sa.Column('lift_reason', sa.String(length=200), nullable=True),
    sa.ForeignKeyConstraint(['vendor_id'], ['vendor.id'], name=op.f('fk_vendor_suspension_vendor_id_vendor')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_vendor_suspension'))
    )
    with op.batch_alter_table('vendor_suspension', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_vendor_suspension_vendor_id'), ['vendor_id'], unique=False)
        batch_op.create_index('uq_vendor_suspension_open', ['vendor_id'], unique=True, sqlite_where=sa.text('lifted_at IS NULL'), postgresql_where=sa.text('lifted_at IS NULL'))

    op.create_table('suspension_move',
    sa.Column('suspension_id', sa.String(length=40), nullable=False),
    sa.Column('work_order_id', sa.String(length=40), nullable=False),
    sa.Column('elder_id', sa.String(length=40), nullable=False),
    sa.Column('visit_on', sa.Date(), nullable=False),
    sa.Column('outcome', sa.String(length=10), nullable=False),
    sa.Column('why', sa.String(length=40), nullable=False),
    sa.Column('to_vendor_id', sa.String(length=40), nullable=True),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint("(outcome = 'stuck') = (why <> '')", name=op.f('ck_suspension_move_why')),
    sa.CheckConstraint("outcome IN ('offered', 'pooled', 'stuck')", name=op.f('ck_suspension_move_outcome')),
    sa.ForeignKeyConstraint(['suspension_id'], ['vendor_suspension.id'], name=op.f('fk_suspension_move_suspension_id_vendor_suspension')),
    sa.ForeignKeyConstraint(['to_vendor_id'], ['vendor.id'], name=op.f('fk_suspension_move_to_vendor_id_vendor')),
    sa.ForeignKeyConstraint(['work_order_id'], ['work_order.id'], name=op.f('fk_suspension_move_work_order_id_work_order')),
    sa.PrimaryKeyConstraint('suspension_id', 'work_order_id', name=op.f('pk_suspension_move'))
    )
    for statement in TRIGGERS[op.get_bind().dialect.name]:
        op.execute(statement)


def downgrade():
    op.drop_table('suspension_move')
    with op.batch_alter_table('vendor_suspension', schema=None) as batch_op:
        batch_op.drop_index('uq_vendor_suspension_open', sqlite_where=sa.text('lifted_at IS NULL'), postgresql_where=sa.text('lifted_at IS NULL'))
        batch_op.drop_index(batch_op.f('ix_vendor_suspension_vendor_id'))

    op.drop_table('vendor_suspension')
