"""facts of elders

Revision ID: 0008
Revises: 0007

"""
from alembic import op
import sqlalchemy as sa


revision = '0008'
down_revision = '0007'
branch_labels = None
depends_on = None


# What the database itself refuses, by dialect.
TRIGGERS = {
    'sqlite': [
        "CREATE TRIGGER elder_fact_no_update BEFORE UPDATE ON elder_fact BEGIN SELECT RAISE(ABORT, 'elder_fact: rows are never changed or deleted'); END",
        "CREATE TRIGGER elder_fact_no_delete BEFORE DELETE ON elder_fact BEGIN SELECT RAISE(ABORT, 'elder_fact: rows are never changed or deleted'); END",
        "CREATE TRIGGER cross_check_line_no_update BEFORE UPDATE ON cross_check_line BEGIN SELECT RAISE(ABORT, 'cross_check_line: rows are never changed or deleted'); END",
        "CREATE TRIGGER cross_check_line_no_delete BEFORE DELETE ON cross_check_line BEGIN SELECT RAISE(ABORT, 'cross_check_line: rows are never changed or deleted'); END",
        "CREATE TRIGGER cross_check_flag_no_update BEFORE UPDATE ON cross_check_flag BEGIN SELECT RAISE(ABORT, 'cross_check_flag: rows are never changed or deleted'); END",
        "CREATE TRIGGER cross_check_flag_no_delete BEFORE DELETE ON cross_check_flag BEGIN SELECT RAISE(ABORT, 'cross_check_flag: rows are never changed or deleted'); END",
        "CREATE TRIGGER file_look_no_update BEFORE UPDATE ON file_look BEGIN SELECT RAISE(ABORT, 'file_look: rows are never changed or deleted'); END",
        "CREATE TRIGGER file_look_no_delete BEFORE DELETE ON file_look BEGIN SELECT RAISE(ABORT, 'file_look: rows are never changed or deleted'); END",
    ],
    'postgresql': [
        'CREATE TRIGGER elder_fact_no_update BEFORE UPDATE ON elder_fact FOR EACH ROW EXECUTE FUNCTION nuanju_refuse_change()',
        'CREATE TRIGGER elder_fact_no_truncate BEFORE TRUNCATE ON elder_fact FOR EACH STATEMENT EXECUTE FUNCTION nuanju_refuse_change()',
        'CREATE TRIGGER elder_fact_no_delete BEFORE DELETE ON elder_fact FOR EACH ROW EXECUTE FUNCTION nuanju_refuse_change()',
        'CREATE TRIGGER cross_check_line_no_update BEFORE UPDATE ON cross_check_line FOR EACH ROW EXECUTE FUNCTION nuanju_refuse_change()',
        'CREATE TRIGGER cross_check_line_no_truncate BEFORE TRUNCATE ON cross_check_line FOR EACH STATEMENT EXECUTE FUNCTION nuanju_refuse_change()',
        'CREATE TRIGGER cross_check_line_no_delete BEFORE DELETE ON cross_check_line FOR EACH ROW EXECUTE FUNCTION nuanju_refuse_change()',
        'CREATE TRIGGER cross_check_flag_no_update BEFORE UPDATE ON cross_check_flag FOR EACH ROW EXECUTE FUNCTION nuanju_refuse_change()',
        'CREATE TRIGGER cross_check_flag_no_truncate BEFORE TRUNCATE ON cross_check_flag FOR EACH STATEMENT EXECUTE FUNCTION nuanju_refuse_change()',
        'CREATE TRIGGER cross_check_flag_no_delete BEFORE DELETE ON cross_check_flag FOR EACH ROW EXECUTE FUNCTION nuanju_refuse_change()',
        'CREATE TRIGGER file_look_no_update BEFORE UPDATE ON file_look FOR EACH ROW EXECUTE FUNCTION nuanju_refuse_change()',
        'CREATE TRIGGER file_look_no_truncate BEFORE TRUNCATE ON file_look FOR EACH STATEMENT EXECUTE FUNCTION nuanju_refuse_change()',
        'CREATE TRIGGER file_look_no_delete BEFORE DELETE ON file_look FOR EACH ROW EXECUTE FUNCTION nuanju_refuse_change()',
    ],
}


def upgrade():
    op.create_table('cross_check_run',
    sa.Column('id', sa.String(length=40), nullable=False),
    sa.Column('feed', sa.String(length=20), nullable=False),
    sa.Column('file', sa.String(length=120), nullable=False),
    sa.Column('by_account', sa.String(length=40), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('applied', sa.Integer(), nullable=False),
    sa.Column('unchanged', sa.Integer(), nullable=False),
    sa.Column('unknown', sa.Integer(), nullable=False),
    sa.Column('refused', sa.Integer(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_cross_check_run'))
    )
    with op.batch_alter_table('cross_check_run', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_cross_check_run_feed'), ['feed'], unique=False)

    op.create_table('cross_check_line',
    sa.Column('feed', sa.String(length=20), nullable=False),
    sa.Column('row_sha256', sa.String(length=64), nullable=False),
    sa.Column('run_id', sa.String(length=40), nullable=False),
    sa.Column('elder_id', sa.String(length=40), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['elder_id'], ['elder.id'], name=op.f('fk_cross_check_line_elder_id_elder')),
    sa.PrimaryKeyConstraint('feed', 'row_sha256', name=op.f('pk_cross_check_line'))
    )
    with op.batch_alter_table('cross_check_line', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_cross_check_line_elder_id'), ['elder_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_cross_check_line_run_id'), ['run_id'], unique=False)

    op.create_table('elder_fact',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=True, nullable=False),
    sa.Column('elder_id', sa.String(length=40), nullable=False),
    sa.Column('name', sa.String(length=20), nullable=False),
    sa.Column('value', sa.String(length=200), nullable=False),
    sa.Column('from_on', sa.Date(), nullable=False),
    sa.Column('source', sa.String(length=80), nullable=False),
    sa.Column('recorded_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('recorded_by', sa.String(length=40), nullable=False),
    sa.CheckConstraint("name IN ('status', 'address', 'hukou_local', 'income_class', 'lives_alone', 'special')", name=op.f('ck_elder_fact_name')),
    sa.ForeignKeyConstraint(['elder_id'], ['elder.id'], name=op.f('fk_elder_fact_elder_id_elder')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_elder_fact'))
    )
    with op.batch_alter_table('elder_fact', schema=None) as batch_op:
        batch_op.create_index('ix_elder_fact_elder', ['elder_id', 'name', 'from_on'], unique=False)
        batch_op.create_index('ix_elder_fact_from', ['from_on'], unique=False)

    op.create_table('elder_stay',
    sa.Column('id', sa.String(length=40), nullable=False),
    sa.Column('elder_id', sa.String(length=40), nullable=False),
    sa.Column('kind', sa.String(length=12), nullable=False),
    sa.Column('place', sa.String(length=80), nullable=False),
    sa.Column('from_on', sa.Date(), nullable=False),
    sa.Column('until_on', sa.Date(), nullable=True),
    sa.Column('source', sa.String(length=80), nullable=False),
    sa.Column('recorded_at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint("kind IN ('hospital', 'institution')", name=op.f('ck_elder_stay_kind')),
    sa.CheckConstraint('until_on IS NULL OR until_on >= from_on', name=op.f('ck_elder_stay_order')),
    sa.ForeignKeyConstraint(['elder_id'], ['elder.id'], name=op.f('fk_elder_stay_elder_id_elder')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_elder_stay')),
    sa.UniqueConstraint('elder_id', 'kind', 'from_on', name=op.f('uq_elder_stay_elder_id_kind_from_on'))
    )
    op.create_table('file_look',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=True, nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('actor_id', sa.String(length=40), nullable=False),
    sa.Column('role', sa.String(length=20), nullable=False),
    sa.Column('elder_id', sa.String(length=40), nullable=False),
    sa.Column('what', sa.String(length=20), nullable=False),
    sa.Column('reason', sa.String(length=200), nullable=False),
    sa.Column('slot', sa.String(length=160), nullable=False),
    sa.CheckConstraint("what <> 'id_number' OR reason <> ''", name=op.f('ck_file_look_reason')),
    sa.ForeignKeyConstraint(['elder_id'], ['elder.id'], name=op.f('fk_file_look_elder_id_elder')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_file_look')),
    sa.UniqueConstraint('slot', name=op.f('uq_file_look_slot'))
    )
    with op.batch_alter_table('file_look', schema=None) as batch_op:
        batch_op.create_index('ix_file_look_actor', ['actor_id', 'at'], unique=False)
        batch_op.create_index('ix_file_look_elder', ['elder_id', 'at'], unique=False)

    op.create_table('caregiver_refusal',
    sa.Column('id', sa.String(length=40), nullable=False),
    sa.Column('elder_id', sa.String(length=40), nullable=False),
    sa.Column('caregiver_id', sa.String(length=40), nullable=False),
    sa.Column('reason', sa.String(length=200), nullable=False),
    sa.Column('asked_by', sa.String(length=40), nullable=False),
    sa.Column('asked_role', sa.String(length=20), nullable=False),
    sa.Column('asked_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('withdrawn_by', sa.String(length=40), nullable=True),
    sa.Column('withdrawn_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['caregiver_id'], ['caregiver.id'], name=op.f('fk_caregiver_refusal_caregiver_id_caregiver')),
    sa.ForeignKeyConstraint(['elder_id'], ['elder.id'], name=op.f('fk_caregiver_refusal_elder_id_elder')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_caregiver_refusal'))
    )
    with op.batch_alter_table('caregiver_refusal', schema=None) as batch_op:
        batch_op.create_index('ix_caregiver_refusal_caregiver', ['caregiver_id'], unique=False)
        batch_op.create_index('uq_caregiver_refusal_open', ['elder_id', 'caregiver_id'], unique=True, sqlite_where=sa.text('withdrawn_at IS NULL'), postgresql_where=sa.text('withdrawn_at IS NULL'))

    op.create_table('cross_check_flag',
    sa.Column('id', sa.String(length=40), nullable=False),
    sa.Column('work_order_id', sa.String(length=40), nullable=False),
    sa.Column('elder_id', sa.String(length=40), nullable=False),
    sa.Column('kind', sa.String(length=30), nullable=False),
    sa.Column('run_id', sa.String(length=40), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['elder_id'], ['elder.id'], name=op.f('fk_cross_check_flag_elder_id_elder')),
    sa.ForeignKeyConstraint(['work_order_id'], ['work_order.id'], name=op.f('fk_cross_check_flag_work_order_id_work_order')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_cross_check_flag')),
    sa.UniqueConstraint('work_order_id', 'kind', name=op.f('uq_cross_check_flag_work_order_id_kind'))
    )
    with op.batch_alter_table('cross_check_flag', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_cross_check_flag_elder_id'), ['elder_id'], unique=False)

    for statement in TRIGGERS[op.get_bind().dialect.name]:
        op.execute(statement)


def downgrade():
    with op.batch_alter_table('cross_check_flag', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_cross_check_flag_elder_id'))

    op.drop_table('cross_check_flag')
    with op.batch_alter_table('caregiver_refusal', schema=None) as batch_op:
        batch_op.drop_index('uq_caregiver_refusal_open', sqlite_where=sa.text('withdrawn_at IS NULL'), postgresql_where=sa.text('withdrawn_at IS NULL'))
        batch_op.drop_index('ix_caregiver_refusal_caregiver')

    op.drop_table('caregiver_refusal')
    with op.batch_alter_table('file_look', schema=None) as batch_op:
        batch_op.drop_index('ix_file_look_elder')
        batch_op.drop_index('ix_file_look_actor')

    op.drop_table('file_look')
    op.drop_table('elder_stay')
    with op.batch_alter_table('elder_fact', schema=None) as batch_op:
        batch_op.drop_index('ix_elder_fact_from')
        batch_op.drop_index('ix_elder_fact_elder')

    op.drop_table('elder_fact')
    with op.batch_alter_table('cross_check_line', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_cross_check_line_run_id'))
        batch_op.drop_index(batch_op.f('ix_cross_check_line_elder_id'))

    op.drop_table('cross_check_line')
    with op.batch_alter_table('cross_check_run', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_cross_check_run_feed'))

    op.drop_table('cross_check_run')
