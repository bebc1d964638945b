"""hashes of transfers and of what was sold; the county's sample; the quarter's holdback

Revision ID: 0006
Revises: 0005

"""
from alembic import op
import sqlalchemy as sa


revision = '0006'
down_revision = '0005'
branch_labels = None
depends_on = None


# What the database itself refuses, by dialect.
TRIGGERS = {
    'sqlite': [
        "CREATE TRIGGER sample_result_no_update BEFORE UPDATE ON sample_result BEGIN SELECT RAISE(ABORT, 'sample_result: rows are never changed or deleted'); END",
        "CREATE TRIGGER sample_result_no_delete BEFORE DELETE ON sample_result BEGIN SELECT RAISE(ABORT, 'sample_result: rows are never changed or deleted'); END",
        "CREATE TRIGGER holdback_step_no_update BEFORE UPDATE ON holdback_step BEGIN SELECT RAISE(ABORT, 'holdback_step: rows are never changed or deleted'); END",
        "CREATE TRIGGER holdback_step_no_delete BEFORE DELETE ON holdback_step BEGIN SELECT RAISE(ABORT, 'holdback_step: rows are never changed or deleted'); END",
    ],
    'postgresql': [
        'CREATE TRIGGER sample_result_no_update BEFORE UPDATE ON sample_result FOR EACH ROW EXECUTE FUNCTION nuanju_refuse_change()',
        'CREATE TRIGGER sample_result_no_truncate BEFORE TRUNCATE ON sample_result FOR EACH STATEMENT EXECUTE FUNCTION nuanju_refuse_change()',
        'CREATE TRIGGER sample_result_no_delete BEFORE DELETE ON sample_result FOR EACH ROW EXECUTE FUNCTION nuanju_refuse_change()',
        'CREATE TRIGGER holdback_step_no_update BEFORE UPDATE ON holdback_step FOR EACH ROW EXECUTE FUNCTION nuanju_refuse_change()',
        'CREATE TRIGGER holdback_step_no_truncate BEFORE TRUNCATE ON holdback_step FOR EACH STATEMENT EXECUTE FUNCTION nuanju_refuse_change()',
        'CREATE TRIGGER holdback_step_no_delete BEFORE DELETE ON holdback_step FOR EACH ROW EXECUTE FUNCTION nuanju_refuse_change()',
    ],
}


def upgrade():
    # Plain ADD COLUMN: rebuilding a table would lose the triggers that freeze it.
    op.add_column('ledger_transfer', sa.Column('row_sha256', sa.String(length=64), nullable=True))
    op.add_column('price_share', sa.Column('sold_sha256', sa.String(length=64), nullable=True))
    op.create_table('sample_result',
    sa.Column('statement_id', sa.String(length=40), nullable=False),
    sa.Column('number', sa.Integer(), nullable=False),
    sa.Column('way', sa.String(length=5), nullable=False),
    sa.Column('outcome', sa.String(length=10), nullable=False),
    sa.Column('note', sa.String(length=200), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('by', sa.String(length=40), nullable=False),
    sa.CheckConstraint("outcome IN ('confirmed', 'doubtful')", name=op.f('ck_sample_result_outcome')),
    sa.CheckConstraint("way IN ('field', 'call')", name=op.f('ck_sample_result_way')),
    sa.ForeignKeyConstraint(['statement_id', 'number'], ['statement_line.statement_id', 'statement_line.number'], name='fk_sample_result_line'),
    sa.PrimaryKeyConstraint('statement_id', 'number', 'way', name=op.f('pk_sample_result'))
    )
    op.create_table('holdback_step',
    sa.Column('quarter', sa.String(length=6), nullable=False),
    sa.Column('vendor_id', sa.String(length=40), nullable=False),
    sa.Column('district_code', sa.String(length=6), nullable=False),
    sa.Column('number', sa.Integer(), nullable=False),
    sa.Column('previous', sa.Integer(), nullable=True),
    sa.Column('score', sa.Integer(), nullable=False),
    sa.Column('percent', sa.Integer(), nullable=False),
    sa.Column('paid_fen', sa.BigInteger(), nullable=False),
    sa.Column('kept_fen', sa.BigInteger(), nullable=False),
    sa.Column('reason', sa.String(length=200), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('by', sa.String(length=40), nullable=False),
    sa.CheckConstraint('(number = 1 AND previous IS NULL) OR (number = 2 AND previous = 1)', name=op.f('ck_holdback_step_in_order')),
    sa.CheckConstraint('percent BETWEEN 0 AND 100 AND score BETWEEN 0 AND 100', name=op.f('ck_holdback_step_score')),
    sa.ForeignKeyConstraint(['quarter', 'vendor_id', 'district_code', 'previous'], ['holdback_step.quarter', 'holdback_step.vendor_id', 'holdback_step.district_code', 'holdback_step.number'], name='fk_holdback_step_previous'),
    sa.ForeignKeyConstraint(['vendor_id'], ['vendor.id'], name=op.f('fk_holdback_step_vendor_id_vendor')),
    sa.PrimaryKeyConstraint('quarter', 'vendor_id', 'district_code', 'number', name=op.f('pk_holdback_step')),
    sa.UniqueConstraint('quarter', 'vendor_id', 'district_code', 'by', name=op.f('uq_holdback_step_quarter_vendor_id_district_code_by'))
    )
    for statement in TRIGGERS[op.get_bind().dialect.name]:
        op.execute(statement)


def downgrade():
    op.drop_table('holdback_step')
    op.drop_table('sample_result')
    op.drop_column('price_share', 'sold_sha256')
    op.drop_column('ledger_transfer', 'row_sha256')
