"""initial

Revision ID: 0001
Revises: 
Create Date: 2026-11-21 22:29:07.160935

"""
from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision = '0001'
down_revision = None
branch_labels = None
depends_on = None


# What the database itself refuses, by dialect.
TRIGGERS = {
    'sqlite': [
        "CREATE TRIGGER audit_event_no_update BEFORE UPDATE ON audit_event BEGIN SELECT RAISE(ABORT, 'audit_event: rows are never changed or deleted'); END",
        "CREATE TRIGGER audit_event_no_delete BEFORE DELETE ON audit_event BEGIN SELECT RAISE(ABORT, 'audit_event: rows are never changed or deleted'); END",
        "CREATE TRIGGER ledger_seal_no_update BEFORE UPDATE ON ledger_seal BEGIN SELECT RAISE(ABORT, 'ledger_seal: rows are never changed or deleted'); END",
        "CREATE TRIGGER ledger_seal_no_delete BEFORE DELETE ON ledger_seal BEGIN SELECT RAISE(ABORT, 'ledger_seal: rows are never changed or deleted'); END",
        "CREATE TRIGGER settlement_run_no_update BEFORE UPDATE ON settlement_run BEGIN SELECT RAISE(ABORT, 'settlement_run: rows are never changed or deleted'); END",
        "CREATE TRIGGER settlement_run_no_delete BEFORE DELETE ON settlement_run BEGIN SELECT RAISE(ABORT, 'settlement_run: rows are never changed or deleted'); END",
        "CREATE TRIGGER ledger_account_no_update BEFORE UPDATE OF id, kind, unit, programme_code, elder_id, vendor_id, district_code ON ledger_account BEGIN SELECT RAISE(ABORT, 'ledger_account: rows are never changed or deleted'); END",
        "CREATE TRIGGER ledger_account_no_delete BEFORE DELETE ON ledger_account BEGIN SELECT RAISE(ABORT, 'ledger_account: rows are never changed or deleted'); END",
        "CREATE TRIGGER statement_no_update BEFORE UPDATE ON statement BEGIN SELECT RAISE(ABORT, 'statement: rows are never changed or deleted'); END",
        "CREATE TRIGGER statement_no_delete BEFORE DELETE ON statement BEGIN SELECT RAISE(ABORT, 'statement: rows are never changed or deleted'); END",
        "CREATE TRIGGER entitlement_no_update BEFORE UPDATE ON entitlement BEGIN SELECT RAISE(ABORT, 'entitlement: rows are never changed or deleted'); END",
        "CREATE TRIGGER entitlement_no_delete BEFORE DELETE ON entitlement BEGIN SELECT RAISE(ABORT, 'entitlement: rows are never changed or deleted'); END",
        "CREATE TRIGGER statement_signature_no_update BEFORE UPDATE ON statement_signature BEGIN SELECT RAISE(ABORT, 'statement_signature: rows are never changed or deleted'); END",
        "CREATE TRIGGER statement_signature_no_delete BEFORE DELETE ON statement_signature BEGIN SELECT RAISE(ABORT, 'statement_signature: rows are never changed or deleted'); END",
        "CREATE TRIGGER price_split_no_update BEFORE UPDATE OF work_order_id, elder_id, district_code, period, use_on ON price_split BEGIN SELECT RAISE(ABORT, 'price_split: rows are never changed or deleted'); END",
        "CREATE TRIGGER price_split_no_delete BEFORE DELETE ON price_split BEGIN SELECT RAISE(ABORT, 'price_split: rows are never changed or deleted'); END",
        "CREATE TRIGGER settlement_held_no_update BEFORE UPDATE ON settlement_held BEGIN SELECT RAISE(ABORT, 'settlement_held: rows are never changed or deleted'); END",
        "CREATE TRIGGER settlement_held_no_delete BEFORE DELETE ON settlement_held BEGIN SELECT RAISE(ABORT, 'settlement_held: rows are never changed or deleted'); END",
        "CREATE TRIGGER statement_line_no_update BEFORE UPDATE ON statement_line BEGIN SELECT RAISE(ABORT, 'statement_line: rows are never changed or deleted'); END",
        "CREATE TRIGGER statement_line_no_delete BEFORE DELETE ON statement_line BEGIN SELECT RAISE(ABORT, 'statement_line: rows are never changed or deleted'); END",
        "CREATE TRIGGER work_order_event_no_update BEFORE UPDATE ON work_order_event BEGIN SELECT RAISE(ABORT, 'work_order_event: rows are never changed or deleted'); END",
        "CREATE TRIGGER work_order_event_no_delete BEFORE DELETE ON work_order_event BEGIN SELECT RAISE(ABORT, 'work_order_event: rows are never changed or deleted'); END",
        "CREATE TRIGGER evidence_no_update BEFORE UPDATE ON evidence BEGIN SELECT RAISE(ABORT, 'evidence: rows are never changed or deleted'); END",
        "CREATE TRIGGER evidence_no_delete BEFORE DELETE ON evidence BEGIN SELECT RAISE(ABORT, 'evidence: rows are never changed or deleted'); END",
        "CREATE TRIGGER held_answer_no_update BEFORE UPDATE ON held_answer BEGIN SELECT RAISE(ABORT, 'held_answer: rows are never changed or deleted'); END",
        "CREATE TRIGGER held_answer_no_delete BEFORE DELETE ON held_answer BEGIN SELECT RAISE(ABORT, 'held_answer: rows are never changed or deleted'); END",
        "CREATE TRIGGER redemption_no_update BEFORE UPDATE ON redemption BEGIN SELECT RAISE(ABORT, 'redemption: rows are never changed or deleted'); END",
        "CREATE TRIGGER redemption_no_delete BEFORE DELETE ON redemption BEGIN SELECT RAISE(ABORT, 'redemption: rows are never changed or deleted'); END",
        "CREATE TRIGGER ledger_transfer_no_update BEFORE UPDATE ON ledger_transfer BEGIN SELECT RAISE(ABORT, 'ledger_transfer: rows are never changed or deleted'); END",
        "CREATE TRIGGER ledger_transfer_no_delete BEFORE DELETE ON ledger_transfer BEGIN SELECT RAISE(ABORT, 'ledger_transfer: rows are never changed or deleted'); END",
        "CREATE TRIGGER price_share_no_update BEFORE UPDATE ON price_share BEGIN SELECT RAISE(ABORT, 'price_share: rows are never changed or deleted'); END",
        "CREATE TRIGGER price_share_no_delete BEFORE DELETE ON price_share BEGIN SELECT RAISE(ABORT, 'price_share: rows are never changed or deleted'); END",
    ],
    'postgresql': [
        "CREATE OR REPLACE FUNCTION nuanju_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$\nBEGIN\n  RAISE EXCEPTION '%% on %% is refused: its rows are never changed or deleted', TG_OP, TG_TABLE_NAME\n    USING ERRCODE = 'integrity_constraint_violation';\nEND $$",
        'CREATE TRIGGER audit_event_no_update BEFORE UPDATE ON audit_event FOR EACH ROW EXECUTE FUNCTION nuanju_refuse_change()',
        'CREATE TRIGGER audit_event_no_truncate BEFORE TRUNCATE ON audit_event FOR EACH STATEMENT EXECUTE FUNCTION nuanju_refuse_change()',
        'CREATE TRIGGER audit_event_no_delete BEFORE DELETE ON audit_event FOR EACH ROW EXECUTE FUNCTION nuanju_refuse_change()',
        'CREATE TRIGGER ledger_seal_no_update BEFORE UPDATE ON ledger_seal FOR EACH ROW EXECUTE FUNCTION nuanju_refuse_change()',
        'CREATE TRIGGER ledger_seal_no_truncate BEFORE TRUNCATE ON ledger_seal FOR EACH STATEMENT EXECUTE FUNCTION nuanju_refuse_change()',
        'CREATE TRIGGER ledger_seal_no_delete BEFORE DELETE ON ledger_seal FOR EACH ROW EXECUTE FUNCTION nuanju_refuse_change()',
        'CREATE TRIGGER settlement_run_no_update BEFORE UPDATE ON settlement_run FOR EACH ROW EXECUTE FUNCTION nuanju_refuse_change()',
        'CREATE TRIGGER settlement_run_no_truncate BEFORE TRUNCATE ON settlement_run FOR EACH STATEMENT EXECUTE FUNCTION nuanju_refuse_change()',
        'CREATE TRIGGER settlement_run_no_delete BEFORE DELETE ON settlement_run FOR EACH ROW EXECUTE FUNCTION nuanju_refuse_change()',
        'CREATE TRIGGER ledger_account_no_update BEFORE UPDATE OF id, kind, unit, programme_code, elder_id, vendor_id, district_code ON ledger_account FOR EACH ROW EXECUTE FUNCTION nuanju_refuse_change()',
        'CREATE TRIGGER ledger_account_no_truncate BEFORE TRUNCATE ON ledger_account FOR EACH STATEMENT EXECUTE FUNCTION nuanju_refuse_change()',
        'CREATE TRIGGER ledger_account_no_delete BEFORE DELETE ON ledger_account FOR EACH ROW EXECUTE FUNCTION nuanju_refuse_change()',
        'CREATE TRIGGER statement_no_update BEFORE UPDATE ON statement FOR EACH ROW EXECUTE FUNCTION nuanju_refuse_change()',
        'CREATE TRIGGER statement_no_truncate BEFORE TRUNCATE ON statement FOR EACH STATEMENT EXECUTE FUNCTION nuanju_refuse_change()',
        'CREATE TRIGGER statement_no_delete BEFORE DELETE ON statement FOR EACH ROW EXECUTE FUNCTION nuanju_refuse_change()',
        'CREATE TRIGGER entitlement_no_update BEFORE UPDATE ON entitlement FOR EACH ROW EXECUTE FUNCTION nuanju_refuse_change()',
        'CREATE TRIGGER entitlement_no_truncate BEFORE TRUNCATE ON entitlement FOR EACH STATEMENT EXECUTE FUNCTION nuanju_refuse_change()',
        'CREATE TRIGGER entitlement_no_delete BEFORE DELETE ON entitlement FOR EACH ROW EXECUTE FUNCTION nuanju_refuse_change()',
        'CREATE TRIGGER statement_signature_no_update BEFORE UPDATE ON statement_signature FOR EACH ROW EXECUTE FUNCTION nuanju_refuse_change()',
        'CREATE TRIGGER statement_signature_no_truncate BEFORE TRUNCATE ON statement_signature FOR EACH STATEMENT EXECUTE FUNCTION nuanju_refuse_change()',
        'CREATE TRIGGER statement_signature_no_delete BEFORE DELETE ON statement_signature FOR EACH ROW EXECUTE FUNCTION nuanju_refuse_change()',
        'CREATE TRIGGER price_split_no_update BEFORE UPDATE OF work_order_id, elder_id, district_code, period, use_on ON price_split FOR EACH ROW EXECUTE FUNCTION nuanju_refuse_change()',
        'CREATE TRIGGER price_split_no_truncate BEFORE TRUNCATE ON price_split FOR EACH STATEMENT EXECUTE FUNCTION nuanju_refuse_change()',
        'CREATE TRIGGER price_split_no_delete BEFORE DELETE ON price_split FOR EACH ROW EXECUTE FUNCTION nuanju_refuse_change()',
        'CREATE TRIGGER settlement_held_no_update BEFORE UPDATE ON settlement_held FOR EACH ROW EXECUTE FUNCTION nuanju_refuse_change()',
        'CREATE TRIGGER settlement_held_no_truncate BEFORE TRUNCATE ON settlement_held FOR EACH STATEMENT EXECUTE FUNCTION nuanju_refuse_change()',
        'CREATE TRIGGER settlement_held_no_delete BEFORE DELETE ON settlement_held FOR EACH ROW EXECUTE FUNCTION nuanju_refuse_change()',
        'CREATE TRIGGER statement_line_no_update BEFORE UPDATE ON statement_line FOR EACH ROW EXECUTE FUNCTION nuanju_refuse_change()',
        'CREATE TRIGGER statement_line_no_truncate BEFORE TRUNCATE ON statement_line FOR EACH STATEMENT EXECUTE FUNCTION nuanju_refuse_change()',
        'CREATE TRIGGER statement_line_no_delete BEFORE DELETE ON statement_line FOR EACH ROW EXECUTE FUNCTION nuanju_refuse_change()',
        'CREATE TRIGGER work_order_event_no_update BEFORE UPDATE ON work_order_event FOR EACH ROW EXECUTE FUNCTION nuanju_refuse_change()',
        'CREATE TRIGGER work_order_event_no_truncate BEFORE TRUNCATE ON work_order_event FOR EACH STATEMENT EXECUTE FUNCTION nuanju_refuse_change()',
        'CREATE TRIGGER work_order_event_no_delete BEFORE DELETE ON work_order_event FOR EACH ROW EXECUTE FUNCTION nuanju_refuse_change()',
        'CREATE TRIGGER evidence_no_update BEFORE UPDATE ON evidence FOR EACH ROW EXECUTE FUNCTION nuanju_refuse_change()',
        'CREATE TRIGGER evidence_no_truncate BEFORE TRUNCATE ON evidence FOR EACH STATEMENT EXECUTE FUNCTION nuanju_refuse_change()',
        'CREATE TRIGGER evidence_no_delete BEFORE DELETE ON evidence FOR EACH ROW EXECUTE FUNCTION nuanju_refuse_change()',
        'CREATE TRIGGER held_answer_no_update BEFORE UPDATE ON held_answer FOR EACH ROW EXECUTE FUNCTION nuanju_refuse_change()',
        'CREATE TRIGGER held_answer_no_truncate BEFORE TRUNCATE ON held_answer FOR EACH STATEMENT EXECUTE FUNCTION nuanju_refuse_change()',
        'CREATE TRIGGER held_answer_no_delete BEFORE DELETE ON held_answer FOR EACH ROW EXECUTE FUNCTION nuanju_refuse_change()',
        'CREATE TRIGGER redemption_no_update BEFORE UPDATE ON redemption FOR EACH ROW EXECUTE FUNCTION nuanju_refuse_change()',
        'CREATE TRIGGER redemption_no_truncate BEFORE TRUNCATE ON redemption FOR EACH STATEMENT EXECUTE FUNCTION nuanju_refuse_change()',
        'CREATE TRIGGER redemption_no_delete BEFORE DELETE ON redemption FOR EACH ROW EXECUTE FUNCTION nuanju_refuse_change()',
        'CREATE TRIGGER ledger_transfer_no_update BEFORE UPDATE ON ledger_transfer FOR EACH ROW EXECUTE FUNCTION nuanju_refuse_change()',
        'CREATE TRIGGER ledger_transfer_no_truncate BEFORE TRUNCATE ON ledger_transfer FOR EACH STATEMENT EXECUTE FUNCTION nuanju_refuse_change()',
        'CREATE TRIGGER ledger_transfer_no_delete BEFORE DELETE ON ledger_transfer FOR EACH ROW EXECUTE FUNCTION nuanju_refuse_change()',
        'CREATE TRIGGER price_share_no_update BEFORE UPDATE ON price_share FOR EACH ROW EXECUTE FUNCTION nuanju_refuse_change()',
        'CREATE TRIGGER price_share_no_truncate BEFORE TRUNCATE ON price_share FOR EACH STATEMENT EXECUTE FUNCTION nuanju_refuse_change()',
        'CREATE TRIGGER price_share_no_delete BEFORE DELETE ON price_share FOR EACH ROW EXECUTE FUNCTION nuanju_refuse_change()',
    ],
}


def upgrade():
    op.create_table('audit_event',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=True, nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('actor_id', sa.String(length=40), nullable=False),
    sa.Column('role', sa.String(length=20), nullable=False),
    sa.Column('action', sa.String(length=60), nullable=False),
    sa.Column('subject_kind', sa.String(length=40), nullable=False),
    sa.Column('subject_id', sa.String(length=40), nullable=False),
    sa.Column('reason', sa.String(length=200), nullable=True),
    sa.Column('facts', sa.JSON(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_audit_event'))
    )
    with op.batch_alter_table('audit_event', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_audit_event_at'), ['at'], unique=False)
        batch_op.create_index(batch_op.f('ix_audit_event_subject_id'), ['subject_id'], unique=False)

    op.create_table('category',
    sa.Column('code', sa.String(length=4), nullable=False),
    sa.Column('name_zh', sa.String(length=40), nullable=False),
    sa.Column('name_en', sa.String(length=80), nullable=False),
    sa.Column('position', sa.Integer(), nullable=False),
    sa.PrimaryKeyConstraint('code', name=op.f('pk_category'))
    )
    op.create_table('command_key',
    sa.Column('key', sa.String(length=255), nullable=False),
    sa.Column('actor_id', sa.String(length=40), nullable=False),
    sa.Column('command', sa.String(length=60), nullable=False),
    sa.Column('content_sha256', sa.String(length=64), nullable=False),
    sa.Column('answer', sa.JSON(), nullable=True),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('key', 'actor_id', name=op.f('pk_command_key'))
    )
    with op.batch_alter_table('command_key', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_command_key_at'), ['at'], unique=False)

    op.create_table('dispatch_run',
    sa.Column('id', sa.String(length=40), nullable=False),
    sa.Column('day', sa.Date(), nullable=False),
    sa.Column('started_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('finished_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('state', sa.String(length=12), nullable=False),
    sa.Column('seed', sa.Integer(), nullable=False),
    sa.Column('seconds', sa.Float(), nullable=False),
    sa.Column('tasks', sa.Integer(), nullable=False),
    sa.Column('assigned', sa.Integer(), nullable=False),
    sa.Column('violations', sa.Integer(), nullable=False),
    sa.Column('totals', sa.JSON(), nullable=False),
    sa.Column('problem', sa.LargeBinary(), nullable=True),
    sa.Column('plan', sa.LargeBinary(), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_dispatch_run'))
    )
    with op.batch_alter_table('dispatch_run', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_dispatch_run_day'), ['day'], unique=False)

    op.create_table('elder',
    sa.Column('id', sa.String(length=40), nullable=False),
    sa.Column('name', sa.String(length=40), nullable=False),
    sa.Column('initials', sa.String(length=20), nullable=False),
    sa.Column('gender', sa.String(length=1), nullable=False),
    sa.Column('born_on', sa.Date(), nullable=False),
    sa.Column('id_number_sealed', sa.LargeBinary(), nullable=False),
    sa.Column('id_number_index', sa.String(length=64), nullable=False),
    sa.Column('phone_sealed', sa.LargeBinary(), nullable=True),
    sa.Column('phone_index', sa.String(length=64), nullable=True),
    sa.Column('address', sa.String(length=200), nullable=False),
    sa.Column('district_code', sa.String(length=6), nullable=False),
    sa.Column('town_code', sa.String(length=9), nullable=True),
    sa.Column('community_code', sa.String(length=12), nullable=True),
    sa.Column('lat', sa.Float(), nullable=False),
    sa.Column('lng', sa.Float(), nullable=False),
    sa.Column('location_level', sa.String(length=10), nullable=False),
    sa.Column('hukou_local', sa.Boolean(), nullable=False),
    sa.Column('income_class', sa.String(length=12), nullable=False),
    sa.Column('lives_alone', sa.Boolean(), nullable=False),
    sa.Column('special', sa.String(length=120), nullable=False),
    sa.Column('door_notes', sa.String(length=200), nullable=False),
    sa.Column('status', sa.String(length=10), nullable=False),
    sa.Column('status_from', sa.Date(), nullable=True),
    sa.Column('row_sha256', sa.String(length=64), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint("status IN ('active', 'away', 'moved', 'dead')", name=op.f('ck_elder_status')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_elder')),
    sa.UniqueConstraint('id_number_index', name=op.f('uq_elder_id_number_index'))
    )
    with op.batch_alter_table('elder', schema=None) as batch_op:
        batch_op.create_index('ix_elder_area', ['district_code', 'town_code'], unique=False)
        batch_op.create_index(batch_op.f('ix_elder_initials'), ['initials'], unique=False)
        batch_op.create_index(batch_op.f('ix_elder_phone_index'), ['phone_index'], unique=False)

    op.create_table('grant_run',
    sa.Column('id', sa.String(length=40), nullable=False),
    sa.Column('period', sa.String(length=7), nullable=False),
    sa.Column('district_code', sa.String(length=6), nullable=False),
    sa.Column('state', sa.String(length=10), nullable=False),
    sa.Column('previewed_by', sa.String(length=40), nullable=False),
    sa.Column('previewed_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('released_by', sa.String(length=40), nullable=True),
    sa.Column('released_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('preview_sha256', sa.String(length=64), nullable=False),
    sa.Column('new', sa.Integer(), nullable=False),
    sa.Column('minutes', sa.BigInteger(), nullable=False),
    sa.Column('fen', sa.BigInteger(), nullable=False),
    sa.CheckConstraint("(state = 'released') = (released_by IS NOT NULL)", name=op.f('ck_grant_run_released')),
    sa.CheckConstraint("state IN ('previewed', 'released', 'dropped')", name=op.f('ck_grant_run_state')),
    sa.CheckConstraint('released_by IS NULL OR released_by <> previewed_by', name=op.f('ck_grant_run_two_persons')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_grant_run'))
    )
    with op.batch_alter_table('grant_run', schema=None) as batch_op:
        batch_op.create_index('ix_grant_run_period', ['period', 'district_code'], unique=False)

    op.create_table('ledger_seal',
    sa.Column('id', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('from_serial', sa.BigInteger(), nullable=False),
    sa.Column('to_serial', sa.BigInteger(), nullable=False),
    sa.Column('transfers', sa.Integer(), nullable=False),
    sa.Column('previous_sha256', sa.String(length=64), nullable=False),
    sa.Column('sha256', sa.String(length=64), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint('from_serial <= to_serial AND transfers > 0', name=op.f('ck_ledger_seal_range')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_ledger_seal')),
    sa.UniqueConstraint('from_serial', name=op.f('uq_ledger_seal_from_serial')),
    sa.UniqueConstraint('previous_sha256', name=op.f('uq_ledger_seal_previous_sha256'))
    )
    op.create_table('outbox_message',
    sa.Column('id', sa.String(length=40), nullable=False),
    sa.Column('dedup_key', sa.String(length=160), nullable=False),
    sa.Column('channel', sa.String(length=20), nullable=False),
    sa.Column('recipient_kind', sa.String(length=20), nullable=False),
    sa.Column('recipient_id', sa.String(length=40), nullable=False),
    sa.Column('template', sa.String(length=60), nullable=False),
    sa.Column('values', sa.JSON(), nullable=False),
    sa.Column('due_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('delivered_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('attempts', sa.Integer(), nullable=False),
    sa.Column('last_error', sa.String(length=200), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_outbox_message')),
    sa.UniqueConstraint('dedup_key', name=op.f('uq_outbox_message_dedup_key'))
    )
    with op.batch_alter_table('outbox_message', schema=None) as batch_op:
        batch_op.create_index('ix_outbox_message_due', ['delivered_at', 'due_at'], unique=False)

    op.create_table('role',
    sa.Column('id', sa.String(length=40), nullable=False),
    sa.Column('name', sa.String(length=20), nullable=False),
    sa.Column('description', sa.String(length=200), nullable=True),
    sa.Column('permissions', sa.JSON(), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_role')),
    sa.UniqueConstraint('name', name=op.f('uq_role_name'))
    )
    op.create_table('settlement_run',
    sa.Column('id', sa.String(length=40), nullable=False),
    sa.Column('period', sa.String(length=7), nullable=False),
    sa.Column('district_code', sa.String(length=6), nullable=False),
    sa.Column('closed_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('closed_by', sa.String(length=40), nullable=False),
    sa.Column('statements', sa.Integer(), nullable=False),
    sa.Column('lines', sa.Integer(), nullable=False),
    sa.Column('held', sa.Integer(), nullable=False),
    sa.Column('total_fen', sa.BigInteger(), nullable=False),
    sa.Column('sha256', sa.String(length=64), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_settlement_run')),
    sa.UniqueConstraint('period', 'district_code', name=op.f('uq_settlement_run_period_district_code'))
    )
    op.create_table('vendor',
    sa.Column('id', sa.String(length=40), nullable=False),
    sa.Column('name', sa.String(length=80), nullable=False),
    sa.Column('uscc', sa.String(length=18), nullable=False),
    sa.Column('size', sa.String(length=10), nullable=False),
    sa.Column('phone', sa.String(length=20), nullable=False),
    sa.Column('status', sa.String(length=10), nullable=False),
    sa.Column('open_share', sa.Float(), nullable=True),
    sa.Column('daily_capacity', sa.Integer(), nullable=True),
    sa.Column('credit', sa.Integer(), nullable=False),
    sa.Column('row_sha256', sa.String(length=64), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint("status IN ('active', 'suspended', 'left')", name=op.f('ck_vendor_status')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_vendor')),
    sa.UniqueConstraint('uscc', name=op.f('uq_vendor_uscc'))
    )
    op.create_table('assessment',
    sa.Column('id', sa.String(length=40), nullable=False),
    sa.Column('elder_id', sa.String(length=40), nullable=False),
    sa.Column('assessed_on', sa.Date(), nullable=False),
    sa.Column('valid_until', sa.Date(), nullable=False),
    sa.Column('score', sa.Integer(), nullable=False),
    sa.Column('level', sa.Integer(), nullable=False),
    sa.Column('assessor', sa.String(length=80), nullable=False),
    sa.CheckConstraint('level BETWEEN 0 AND 4', name=op.f('ck_assessment_level')),
    sa.CheckConstraint('score BETWEEN 0 AND 90', name=op.f('ck_assessment_score')),
    sa.ForeignKeyConstraint(['elder_id'], ['elder.id'], name=op.f('fk_assessment_elder_id_elder')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_assessment')),
    sa.UniqueConstraint('elder_id', 'assessed_on', name=op.f('uq_assessment_elder_id_assessed_on'))
    )
    with op.batch_alter_table('assessment', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_assessment_elder_id'), ['elder_id'], unique=False)

    op.create_table('consent',
    sa.Column('id', sa.String(length=40), nullable=False),
    sa.Column('elder_id', sa.String(length=40), nullable=False),
    sa.Column('purpose', sa.String(length=30), nullable=False),
    sa.Column('given_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('given_by', sa.String(length=40), nullable=False),
    sa.Column('text_version', sa.String(length=20), nullable=False),
    sa.Column('withdrawn_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['elder_id'], ['elder.id'], name=op.f('fk_consent_elder_id_elder')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_consent'))
    )
    with op.batch_alter_table('consent', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_consent_elder_id'), ['elder_id'], unique=False)

    op.create_table('ledger_account',
    sa.Column('id', sa.String(length=120), nullable=False),
    sa.Column('kind', sa.String(length=12), nullable=False),
    sa.Column('unit', sa.String(length=7), nullable=False),
    sa.Column('programme_code', sa.String(length=12), nullable=True),
    sa.Column('elder_id', sa.String(length=40), nullable=True),
    sa.Column('vendor_id', sa.String(length=40), nullable=True),
    sa.Column('district_code', sa.String(length=6), nullable=True),
    sa.Column('period', sa.String(length=10), nullable=True),
    sa.Column('guarded', sa.Boolean(), nullable=False),
    sa.Column('debits_pending', sa.BigInteger(), nullable=False),
    sa.Column('debits_posted', sa.BigInteger(), nullable=False),
    sa.Column('credits_pending', sa.BigInteger(), nullable=False),
    sa.Column('credits_posted', sa.BigInteger(), nullable=False),
    sa.CheckConstraint("guarded = (kind IN ('budget', 'fund', 'entitlement', 'day'))", name=op.f('ck_ledger_account_guarded_kind')),
    sa.CheckConstraint("kind IN ('treasury', 'budget', 'fund', 'mint', 'outside', 'entitlement', 'day', 'owed', 'promised', 'served', 'due', 'bank', 'gift')", name=op.f('ck_ledger_account_kind')),
    sa.CheckConstraint("unit IN ('fen', 'minutes')", name=op.f('ck_ledger_account_unit')),
    sa.CheckConstraint('NOT guarded OR debits_posted + debits_pending <= credits_posted', name=op.f('ck_ledger_account_covered')),
    sa.CheckConstraint('debits_pending >= 0 AND debits_posted >= 0 AND credits_pending >= 0 AND credits_posted >= 0', name=op.f('ck_ledger_account_counters')),
    sa.ForeignKeyConstraint(['elder_id'], ['elder.id'], name=op.f('fk_ledger_account_elder_id_elder')),
    sa.ForeignKeyConstraint(['vendor_id'], ['vendor.id'], name=op.f('fk_ledger_account_vendor_id_vendor')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_ledger_account')),
    sa.UniqueConstraint('id', 'unit', name=op.f('uq_ledger_account_id_unit'))
    )
    with op.batch_alter_table('ledger_account', schema=None) as batch_op:
        batch_op.create_index('ix_ledger_account_elder', ['elder_id'], unique=False)
        batch_op.create_index('ix_ledger_account_vendor', ['vendor_id'], unique=False)

    op.create_table('service',
    sa.Column('code', sa.String(length=8), nullable=False),
    sa.Column('category_code', sa.String(length=4), nullable=False),
    sa.ForeignKeyConstraint(['category_code'], ['category.code'], name=op.f('fk_service_category_code_category')),
    sa.PrimaryKeyConstraint('code', name=op.f('pk_service'))
    )
    with op.batch_alter_table('service', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_service_category_code'), ['category_code'], unique=False)

    op.create_table('site',
    sa.Column('id', sa.String(length=40), nullable=False),
    sa.Column('kind', sa.String(length=10), nullable=False),
    sa.Column('name', sa.String(length=80), nullable=False),
    sa.Column('vendor_id', sa.String(length=40), nullable=True),
    sa.Column('address', sa.String(length=200), nullable=False),
    sa.Column('district_code', sa.String(length=6), nullable=False),
    sa.Column('town_code', sa.String(length=9), nullable=True),
    sa.Column('lat', sa.Float(), nullable=False),
    sa.Column('lng', sa.Float(), nullable=False),
    sa.Column('meals_ready_s', sa.Integer(), nullable=True),
    sa.Column('row_sha256', sa.String(length=64), nullable=False),
    sa.ForeignKeyConstraint(['vendor_id'], ['vendor.id'], name=op.f('fk_site_vendor_id_vendor')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_site'))
    )
    with op.batch_alter_table('site', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_site_district_code'), ['district_code'], unique=False)
        batch_op.create_index(batch_op.f('ix_site_kind'), ['kind'], unique=False)

    op.create_table('statement',
    sa.Column('id', sa.String(length=40), nullable=False),
    sa.Column('run_id', sa.String(length=40), nullable=False),
    sa.Column('period', sa.String(length=7), nullable=False),
    sa.Column('vendor_id', sa.String(length=40), nullable=False),
    sa.Column('vendor_name', sa.String(length=80), nullable=False),
    sa.Column('district_code', sa.String(length=6), nullable=False),
    sa.Column('lines', sa.Integer(), nullable=False),
    sa.Column('total_fen', sa.BigInteger(), nullable=False),
    sa.Column('payable_fen', sa.BigInteger(), nullable=False),
    sa.Column('outside_fen', sa.BigInteger(), nullable=False),
    sa.Column('own_fen', sa.BigInteger(), nullable=False),
    sa.Column('holdback_fen', sa.BigInteger(), nullable=False),
    sa.Column('by_programme', sa.JSON(), nullable=False),
    sa.Column('sha256', sa.String(length=64), nullable=False),
    sa.CheckConstraint('total_fen = payable_fen + outside_fen + own_fen', name=op.f('ck_statement_total')),
    sa.ForeignKeyConstraint(['run_id'], ['settlement_run.id'], name=op.f('fk_statement_run_id_settlement_run')),
    sa.ForeignKeyConstraint(['vendor_id'], ['vendor.id'], name=op.f('fk_statement_vendor_id_vendor')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_statement')),
    sa.UniqueConstraint('period', 'vendor_id', 'district_code', name=op.f('uq_statement_period_vendor_id_district_code'))
    )
    with op.batch_alter_table('statement', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_statement_run_id'), ['run_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_statement_vendor_id'), ['vendor_id'], unique=False)

    op.create_table('vendor_category',
    sa.Column('vendor_id', sa.String(length=40), nullable=False),
    sa.Column('category_code', sa.String(length=4), nullable=False),
    sa.ForeignKeyConstraint(['category_code'], ['category.code'], name=op.f('fk_vendor_category_category_code_category')),
    sa.ForeignKeyConstraint(['vendor_id'], ['vendor.id'], name=op.f('fk_vendor_category_vendor_id_vendor')),
    sa.PrimaryKeyConstraint('vendor_id', 'category_code', name=op.f('pk_vendor_category'))
    )
    op.create_table('vendor_district',
    sa.Column('vendor_id', sa.String(length=40), nullable=False),
    sa.Column('district_code', sa.String(length=6), nullable=False),
    sa.ForeignKeyConstraint(['vendor_id'], ['vendor.id'], name=op.f('fk_vendor_district_vendor_id_vendor')),
    sa.PrimaryKeyConstraint('vendor_id', 'district_code', name=op.f('pk_vendor_district'))
    )
    op.create_table('vendor_licence',
    sa.Column('id', sa.String(length=40), nullable=False),
    sa.Column('vendor_id', sa.String(length=40), nullable=False),
    sa.Column('kind', sa.String(length=40), nullable=False),
    sa.Column('number', sa.String(length=60), nullable=False),
    sa.Column('valid_from', sa.Date(), nullable=False),
    sa.Column('valid_until', sa.Date(), nullable=False),
    sa.ForeignKeyConstraint(['vendor_id'], ['vendor.id'], name=op.f('fk_vendor_licence_vendor_id_vendor')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_vendor_licence')),
    sa.UniqueConstraint('vendor_id', 'kind', 'number', name=op.f('uq_vendor_licence_vendor_id_kind_number'))
    )
    with op.batch_alter_table('vendor_licence', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_vendor_licence_vendor_id'), ['vendor_id'], unique=False)

    op.create_table('caregiver',
    sa.Column('id', sa.String(length=40), nullable=False),
    sa.Column('vendor_id', sa.String(length=40), nullable=False),
    sa.Column('name', sa.String(length=40), nullable=False),
    sa.Column('gender', sa.String(length=1), nullable=False),
    sa.Column('phone_sealed', sa.LargeBinary(), nullable=True),
    sa.Column('phone_index', sa.String(length=64), nullable=True),
    sa.Column('base_site_id', sa.String(length=40), nullable=False),
    sa.Column('max_work_s', sa.Integer(), nullable=True),
    sa.Column('rest_from_s', sa.Integer(), nullable=True),
    sa.Column('rest_to_s', sa.Integer(), nullable=True),
    sa.Column('rest_s', sa.Integer(), nullable=True),
    sa.Column('meal_capacity', sa.Integer(), nullable=True),
    sa.Column('status', sa.String(length=10), nullable=False),
    sa.Column('row_sha256', sa.String(length=64), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint("status IN ('active', 'left')", name=op.f('ck_caregiver_status')),
    sa.ForeignKeyConstraint(['base_site_id'], ['site.id'], name=op.f('fk_caregiver_base_site_id_site')),
    sa.ForeignKeyConstraint(['vendor_id'], ['vendor.id'], name=op.f('fk_caregiver_vendor_id_vendor')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_caregiver'))
    )
    with op.batch_alter_table('caregiver', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_caregiver_phone_index'), ['phone_index'], unique=False)
        batch_op.create_index(batch_op.f('ix_caregiver_vendor_id'), ['vendor_id'], unique=False)

    op.create_table('entitlement',
    sa.Column('account_id', sa.String(length=120), nullable=False),
    sa.Column('elder_id', sa.String(length=40), nullable=False),
    sa.Column('programme_code', sa.String(length=12), nullable=False),
    sa.Column('programme_version', sa.Date(), nullable=False),
    sa.Column('slot', sa.String(length=12), nullable=False),
    sa.Column('tier', sa.String(length=20), nullable=False),
    sa.Column('district_code', sa.String(length=6), nullable=False),
    sa.Column('period', sa.String(length=7), nullable=False),
    sa.Column('sequence', sa.Integer(), nullable=False),
    sa.Column('unit', sa.String(length=7), nullable=False),
    sa.Column('granted', sa.BigInteger(), nullable=False),
    sa.Column('valid_from', sa.Date(), nullable=False),
    sa.Column('ends_on', sa.Date(), nullable=False),
    sa.Column('grant_run_id', sa.String(length=40), nullable=True),
    sa.Column('replaces_id', sa.String(length=120), nullable=True),
    sa.CheckConstraint('granted > 0', name=op.f('ck_entitlement_granted')),
    sa.CheckConstraint('valid_from <= ends_on', name=op.f('ck_entitlement_validity')),
    sa.ForeignKeyConstraint(['account_id'], ['ledger_account.id'], name=op.f('fk_entitlement_account_id_ledger_account')),
    sa.ForeignKeyConstraint(['elder_id'], ['elder.id'], name=op.f('fk_entitlement_elder_id_elder')),
    sa.ForeignKeyConstraint(['grant_run_id'], ['grant_run.id'], name=op.f('fk_entitlement_grant_run_id_grant_run')),
    sa.PrimaryKeyConstraint('account_id', name=op.f('pk_entitlement')),
    sa.UniqueConstraint('elder_id', 'slot', 'period', 'sequence', name=op.f('uq_entitlement_elder_id_slot_period_sequence'))
    )
    with op.batch_alter_table('entitlement', schema=None) as batch_op:
        batch_op.create_index('ix_entitlement_ends_on', ['ends_on'], unique=False)
        batch_op.create_index(batch_op.f('ix_entitlement_grant_run_id'), ['grant_run_id'], unique=False)
        batch_op.create_index('ix_entitlement_period', ['period', 'programme_code'], unique=False)

    op.create_table('service_version',
    sa.Column('id', sa.String(length=40), nullable=False),
    sa.Column('service_code', sa.String(length=8), nullable=False),
    sa.Column('valid_from', sa.Date(), nullable=False),
    sa.Column('withdrawn', sa.Boolean(), nullable=False),
    sa.Column('name_zh', sa.String(length=80), nullable=False),
    sa.Column('name_en', sa.String(length=120), nullable=False),
    sa.Column('initials', sa.String(length=80), nullable=False),
    sa.Column('pinyin', sa.String(length=300), nullable=False),
    sa.Column('unit', sa.String(length=10), nullable=False),
    sa.Column('price_fen', sa.Integer(), nullable=False),
    sa.Column('duration_min', sa.Integer(), nullable=False),
    sa.Column('caregivers', sa.Integer(), nullable=False),
    sa.Column('skill_code', sa.String(length=10), nullable=False),
    sa.Column('mode', sa.String(length=10), nullable=False),
    sa.Column('time_class', sa.String(length=20), nullable=False),
    sa.Column('subsidised', sa.Boolean(), nullable=False),
    sa.CheckConstraint("mode IN ('home', 'site', 'remote')", name=op.f('ck_service_version_mode')),
    sa.CheckConstraint('caregivers BETWEEN 1 AND 4', name=op.f('ck_service_version_caregivers')),
    sa.CheckConstraint('duration_min > 0', name=op.f('ck_service_version_duration')),
    sa.CheckConstraint('price_fen >= 0', name=op.f('ck_service_version_price')),
    sa.ForeignKeyConstraint(['service_code'], ['service.code'], name=op.f('fk_service_version_service_code_service')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_service_version')),
    sa.UniqueConstraint('service_code', 'valid_from', name=op.f('uq_service_version_service_code_valid_from'))
    )
    with op.batch_alter_table('service_version', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_service_version_service_code'), ['service_code'], unique=False)

    op.create_table('statement_signature',
    sa.Column('statement_id', sa.String(length=40), nullable=False),
    sa.Column('number', sa.Integer(), nullable=False),
    sa.Column('previous', sa.Integer(), nullable=True),
    sa.Column('step', sa.String(length=20), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('by', sa.String(length=40), nullable=False),
    sa.Column('role', sa.String(length=20), nullable=False),
    sa.Column('note', sa.String(length=200), nullable=False),
    sa.Column('content_sha256', sa.String(length=64), nullable=False),
    sa.CheckConstraint('(number = 1 AND previous IS NULL) OR previous = number - 1', name=op.f('ck_statement_signature_in_order')),
    sa.CheckConstraint('number BETWEEN 1 AND 4', name=op.f('ck_statement_signature_number')),
    sa.ForeignKeyConstraint(['statement_id', 'previous'], ['statement_signature.statement_id', 'statement_signature.number'], name='fk_statement_signature_previous'),
    sa.ForeignKeyConstraint(['statement_id'], ['statement.id'], name=op.f('fk_statement_signature_statement_id_statement')),
    sa.PrimaryKeyConstraint('statement_id', 'number', name=op.f('pk_statement_signature')),
    sa.UniqueConstraint('statement_id', 'by', name=op.f('uq_statement_signature_statement_id_by'))
    )
    op.create_table('account',
    sa.Column('id', sa.String(length=40), nullable=False),
    sa.Column('username', sa.String(length=80), nullable=False),
    sa.Column('email', sa.String(length=120), nullable=False),
    sa.Column('display_name', sa.String(length=80), nullable=False),
    sa.Column('password', sa.String(length=255), nullable=True),
    sa.Column('active', sa.Boolean(), nullable=False),
    sa.Column('fs_uniquifier', sa.String(length=64), nullable=False),
    sa.Column('fs_token_uniquifier', sa.String(length=64), nullable=True),
    sa.Column('confirmed_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('last_login_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('current_login_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('last_login_ip', sa.String(length=64), nullable=True),
    sa.Column('current_login_ip', sa.String(length=64), nullable=True),
    sa.Column('login_count', sa.Integer(), nullable=True),
    sa.Column('tf_primary_method', sa.String(length=64), nullable=True),
    sa.Column('tf_totp_secret', sa.String(length=255), nullable=True),
    sa.Column('tf_phone_number', sa.String(length=128), nullable=True),
    sa.Column('mf_recovery_codes', sa.JSON(), nullable=True),
    sa.Column('us_phone_number', sa.String(length=128), nullable=True),
    sa.Column('us_totp_secrets', sa.Text(), nullable=True),
    sa.Column('elder_id', sa.String(length=40), nullable=True),
    sa.Column('vendor_id', sa.String(length=40), nullable=True),
    sa.Column('caregiver_id', sa.String(length=40), nullable=True),
    sa.Column('district_code', sa.String(length=6), nullable=True),
    sa.Column('town_code', sa.String(length=9), nullable=True),
    sa.ForeignKeyConstraint(['caregiver_id'], ['caregiver.id'], name=op.f('fk_account_caregiver_id_caregiver')),
    sa.ForeignKeyConstraint(['elder_id'], ['elder.id'], name=op.f('fk_account_elder_id_elder')),
    sa.ForeignKeyConstraint(['vendor_id'], ['vendor.id'], name=op.f('fk_account_vendor_id_vendor')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_account')),
    sa.UniqueConstraint('email', name=op.f('uq_account_email')),
    sa.UniqueConstraint('fs_token_uniquifier', name=op.f('uq_account_fs_token_uniquifier')),
    sa.UniqueConstraint('fs_uniquifier', name=op.f('uq_account_fs_uniquifier')),
    sa.UniqueConstraint('us_phone_number', name=op.f('uq_account_us_phone_number')),
    sa.UniqueConstraint('username', name=op.f('uq_account_username'))
    )
    with op.batch_alter_table('account', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_account_caregiver_id'), ['caregiver_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_account_elder_id'), ['elder_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_account_vendor_id'), ['vendor_id'], unique=False)

    op.create_table('certificate',
    sa.Column('id', sa.String(length=40), nullable=False),
    sa.Column('caregiver_id', sa.String(length=40), nullable=False),
    sa.Column('skill_code', sa.String(length=10), nullable=False),
    sa.Column('number', sa.String(length=60), nullable=False),
    sa.Column('valid_from', sa.Date(), nullable=False),
    sa.Column('valid_until', sa.Date(), nullable=False),
    sa.ForeignKeyConstraint(['caregiver_id'], ['caregiver.id'], name=op.f('fk_certificate_caregiver_id_caregiver')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_certificate')),
    sa.UniqueConstraint('caregiver_id', 'skill_code', 'valid_from', name=op.f('uq_certificate_caregiver_id_skill_code_valid_from'))
    )
    with op.batch_alter_table('certificate', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_certificate_caregiver_id'), ['caregiver_id'], unique=False)

    op.create_table('leave',
    sa.Column('id', sa.String(length=40), nullable=False),
    sa.Column('caregiver_id', sa.String(length=40), nullable=False),
    sa.Column('from_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('to_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('reason', sa.String(length=40), nullable=False),
    sa.ForeignKeyConstraint(['caregiver_id'], ['caregiver.id'], name=op.f('fk_leave_caregiver_id_caregiver')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_leave'))
    )
    with op.batch_alter_table('leave', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_leave_caregiver_id'), ['caregiver_id'], unique=False)

    op.create_table('order_',
    sa.Column('id', sa.String(length=40), nullable=False),
    sa.Column('elder_id', sa.String(length=40), nullable=False),
    sa.Column('service_code', sa.String(length=8), nullable=False),
    sa.Column('channel', sa.String(length=20), nullable=False),
    sa.Column('placed_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('placed_by', sa.String(length=40), nullable=False),
    sa.Column('placed_role', sa.String(length=20), nullable=False),
    sa.Column('authority', sa.String(length=80), nullable=False),
    sa.Column('vendor_id', sa.String(length=40), nullable=True),
    sa.Column('caregiver_id', sa.String(length=40), nullable=True),
    sa.Column('site_id', sa.String(length=40), nullable=True),
    sa.Column('starts_on', sa.Date(), nullable=False),
    sa.Column('ends_on', sa.Date(), nullable=True),
    sa.Column('rrule', sa.String(length=200), nullable=True),
    sa.Column('skip_holidays', sa.Boolean(), nullable=False),
    sa.Column('window_start_s', sa.Integer(), nullable=False),
    sa.Column('window_end_s', sa.Integer(), nullable=False),
    sa.Column('quantity', sa.Integer(), nullable=False),
    sa.Column('note', sa.String(length=200), nullable=False),
    sa.Column('state', sa.String(length=10), nullable=False),
    sa.Column('standing_since', sa.DateTime(timezone=True), nullable=True),
    sa.Column('generated_until', sa.Date(), nullable=True),
    sa.Column('row_sha256', sa.String(length=64), nullable=False),
    sa.CheckConstraint("state IN ('active', 'paused', 'ended')", name=op.f('ck_order__state')),
    sa.CheckConstraint('window_start_s < window_end_s', name=op.f('ck_order__window')),
    sa.ForeignKeyConstraint(['caregiver_id'], ['caregiver.id'], name=op.f('fk_order__caregiver_id_caregiver')),
    sa.ForeignKeyConstraint(['elder_id'], ['elder.id'], name=op.f('fk_order__elder_id_elder')),
    sa.ForeignKeyConstraint(['service_code'], ['service.code'], name=op.f('fk_order__service_code_service')),
    sa.ForeignKeyConstraint(['site_id'], ['site.id'], name=op.f('fk_order__site_id_site')),
    sa.ForeignKeyConstraint(['vendor_id'], ['vendor.id'], name=op.f('fk_order__vendor_id_vendor')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_order_'))
    )
    with op.batch_alter_table('order_', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_order__elder_id'), ['elder_id'], unique=False)

    op.create_table('shift',
    sa.Column('id', sa.String(length=40), nullable=False),
    sa.Column('caregiver_id', sa.String(length=40), nullable=False),
    sa.Column('works_on', sa.Date(), nullable=False),
    sa.Column('starts_s', sa.Integer(), nullable=False),
    sa.Column('ends_s', sa.Integer(), nullable=False),
    sa.CheckConstraint('starts_s < ends_s', name=op.f('ck_shift_order')),
    sa.ForeignKeyConstraint(['caregiver_id'], ['caregiver.id'], name=op.f('fk_shift_caregiver_id_caregiver')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_shift')),
    sa.UniqueConstraint('caregiver_id', 'works_on', 'starts_s', name=op.f('uq_shift_caregiver_id_works_on_starts_s'))
    )
    with op.batch_alter_table('shift', schema=None) as batch_op:
        batch_op.create_index('ix_shift_day', ['works_on'], unique=False)

    op.create_table('account_role',
    sa.Column('account_id', sa.String(length=40), nullable=False),
    sa.Column('role_id', sa.String(length=40), nullable=False),
    sa.ForeignKeyConstraint(['account_id'], ['account.id'], name=op.f('fk_account_role_account_id_account')),
    sa.ForeignKeyConstraint(['role_id'], ['role.id'], name=op.f('fk_account_role_role_id_role')),
    sa.PrimaryKeyConstraint('account_id', 'role_id', name=op.f('pk_account_role'))
    )
    op.create_table('family_link',
    sa.Column('id', sa.String(length=40), nullable=False),
    sa.Column('elder_id', sa.String(length=40), nullable=False),
    sa.Column('account_id', sa.String(length=40), nullable=True),
    sa.Column('name', sa.String(length=40), nullable=False),
    sa.Column('relation', sa.String(length=20), nullable=False),
    sa.Column('phone_sealed', sa.LargeBinary(), nullable=True),
    sa.Column('phone_index', sa.String(length=64), nullable=True),
    sa.Column('powers', sa.String(length=60), nullable=False),
    sa.Column('confirmed_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('ended_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['account_id'], ['account.id'], name=op.f('fk_family_link_account_id_account')),
    sa.ForeignKeyConstraint(['elder_id'], ['elder.id'], name=op.f('fk_family_link_elder_id_elder')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_family_link'))
    )
    with op.batch_alter_table('family_link', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_family_link_account_id'), ['account_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_family_link_elder_id'), ['elder_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_family_link_phone_index'), ['phone_index'], unique=False)

    op.create_table('work_order',
    sa.Column('id', sa.String(length=40), nullable=False),
    sa.Column('order_id', sa.String(length=40), nullable=False),
    sa.Column('elder_id', sa.String(length=40), nullable=False),
    sa.Column('visit_on', sa.Date(), nullable=False),
    sa.Column('window_start_s', sa.Integer(), nullable=False),
    sa.Column('window_end_s', sa.Integer(), nullable=False),
    sa.Column('state', sa.String(length=12), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('service_code', sa.String(length=8), nullable=False),
    sa.Column('service_version_id', sa.String(length=40), nullable=False),
    sa.Column('price_fen', sa.Integer(), nullable=False),
    sa.Column('service_s', sa.Integer(), nullable=False),
    sa.Column('crew', sa.Integer(), nullable=False),
    sa.Column('quantity', sa.Integer(), nullable=False),
    sa.Column('category_code', sa.String(length=4), nullable=False),
    sa.Column('skill_code', sa.String(length=10), nullable=False),
    sa.Column('mode', sa.String(length=10), nullable=False),
    sa.Column('time_class', sa.String(length=20), nullable=False),
    sa.Column('is_stop', sa.Boolean(), nullable=False),
    sa.Column('priority', sa.Integer(), nullable=False),
    sa.Column('lat', sa.Float(), nullable=False),
    sa.Column('lng', sa.Float(), nullable=False),
    sa.Column('district_code', sa.String(length=6), nullable=False),
    sa.Column('town_code', sa.String(length=9), nullable=True),
    sa.Column('vendor_named', sa.Boolean(), nullable=False),
    sa.Column('vendor_id', sa.String(length=40), nullable=True),
    sa.Column('preferred_caregiver_id', sa.String(length=40), nullable=True),
    sa.Column('site_id', sa.String(length=40), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint('price_fen >= 0', name=op.f('ck_work_order_price')),
    sa.ForeignKeyConstraint(['elder_id'], ['elder.id'], name=op.f('fk_work_order_elder_id_elder')),
    sa.ForeignKeyConstraint(['order_id'], ['order_.id'], name=op.f('fk_work_order_order_id_order_')),
    sa.ForeignKeyConstraint(['preferred_caregiver_id'], ['caregiver.id'], name=op.f('fk_work_order_preferred_caregiver_id_caregiver')),
    sa.ForeignKeyConstraint(['service_code'], ['service.code'], name=op.f('fk_work_order_service_code_service')),
    sa.ForeignKeyConstraint(['service_version_id'], ['service_version.id'], name=op.f('fk_work_order_service_version_id_service_version')),
    sa.ForeignKeyConstraint(['site_id'], ['site.id'], name=op.f('fk_work_order_site_id_site')),
    sa.ForeignKeyConstraint(['vendor_id'], ['vendor.id'], name=op.f('fk_work_order_vendor_id_vendor')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_work_order')),
    sa.UniqueConstraint('order_id', 'visit_on', 'window_start_s', name=op.f('uq_work_order_order_id_visit_on_window_start_s'))
    )
    with op.batch_alter_table('work_order', schema=None) as batch_op:
        batch_op.create_index('ix_work_order_day', ['visit_on', 'state'], unique=False)
        batch_op.create_index('ix_work_order_elder_day', ['elder_id', 'visit_on'], unique=False)
        batch_op.create_index('ix_work_order_state', ['state', 'visit_on'], unique=False)
        batch_op.create_index('ix_work_order_vendor_day', ['vendor_id', 'visit_on'], unique=False)

    op.create_table('assignment',
    sa.Column('id', sa.String(length=40), nullable=False),
    sa.Column('work_order_id', sa.String(length=40), nullable=False),
    sa.Column('caregiver_id', sa.String(length=40), nullable=False),
    sa.Column('run_id', sa.String(length=40), nullable=True),
    sa.Column('starts_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('ends_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('locked', sa.Boolean(), nullable=False),
    sa.ForeignKeyConstraint(['caregiver_id'], ['caregiver.id'], name=op.f('fk_assignment_caregiver_id_caregiver')),
    sa.ForeignKeyConstraint(['run_id'], ['dispatch_run.id'], name=op.f('fk_assignment_run_id_dispatch_run')),
    sa.ForeignKeyConstraint(['work_order_id'], ['work_order.id'], name=op.f('fk_assignment_work_order_id_work_order')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_assignment')),
    sa.UniqueConstraint('work_order_id', 'caregiver_id', name=op.f('uq_assignment_work_order_id_caregiver_id'))
    )
    with op.batch_alter_table('assignment', schema=None) as batch_op:
        batch_op.create_index('ix_assignment_caregiver_start', ['caregiver_id', 'starts_at'], unique=False)

    op.create_table('job_offer',
    sa.Column('id', sa.String(length=40), nullable=False),
    sa.Column('work_order_id', sa.String(length=40), nullable=False),
    sa.Column('vendor_id', sa.String(length=40), nullable=False),
    sa.Column('round', sa.Integer(), nullable=False),
    sa.Column('state', sa.String(length=10), nullable=False),
    sa.Column('offered_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('offer_deadline_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('answered_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('reason', sa.String(length=40), nullable=True),
    sa.CheckConstraint("state IN ('open', 'accepted', 'declined', 'expired', 'closed')", name=op.f('ck_job_offer_state')),
    sa.ForeignKeyConstraint(['vendor_id'], ['vendor.id'], name=op.f('fk_job_offer_vendor_id_vendor')),
    sa.ForeignKeyConstraint(['work_order_id'], ['work_order.id'], name=op.f('fk_job_offer_work_order_id_work_order')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_job_offer')),
    sa.UniqueConstraint('work_order_id', 'vendor_id', 'round', name=op.f('uq_job_offer_work_order_id_vendor_id_round'))
    )
    with op.batch_alter_table('job_offer', schema=None) as batch_op:
        batch_op.create_index('ix_job_offer_due', ['state', 'offer_deadline_at'], unique=False)
        batch_op.create_index('ix_job_offer_vendor_state', ['vendor_id', 'state'], unique=False)
        batch_op.create_index(batch_op.f('ix_job_offer_work_order_id'), ['work_order_id'], unique=False)
        batch_op.create_index('uq_job_offer_accepted', ['work_order_id'], unique=True, sqlite_where=sa.text("state = 'accepted'"), postgresql_where=sa.text("state = 'accepted'"))

    op.create_table('left_out',
    sa.Column('work_order_id', sa.String(length=40), nullable=False),
    sa.Column('run_id', sa.String(length=40), nullable=False),
    sa.Column('reason', sa.String(length=40), nullable=False),
    sa.Column('remaining', sa.JSON(), nullable=False),
    sa.Column('would_help', sa.JSON(), nullable=False),
    sa.ForeignKeyConstraint(['run_id'], ['dispatch_run.id'], name=op.f('fk_left_out_run_id_dispatch_run')),
    sa.ForeignKeyConstraint(['work_order_id'], ['work_order.id'], name=op.f('fk_left_out_work_order_id_work_order')),
    sa.PrimaryKeyConstraint('work_order_id', name=op.f('pk_left_out'))
    )
    op.create_table('price_split',
    sa.Column('work_order_id', sa.String(length=40), nullable=False),
    sa.Column('revision', sa.Integer(), nullable=False),
    sa.Column('elder_id', sa.String(length=40), nullable=False),
    sa.Column('district_code', sa.String(length=6), nullable=False),
    sa.Column('period', sa.String(length=7), nullable=False),
    sa.Column('use_on', sa.Date(), nullable=False),
    sa.Column('price_fen', sa.BigInteger(), nullable=False),
    sa.Column('minutes', sa.Integer(), nullable=False),
    sa.Column('sold', sa.JSON(), nullable=False),
    sa.Column('state', sa.String(length=10), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint("state IN ('expected', 'held', 'captured', 'released', 'reversed')", name=op.f('ck_price_split_state')),
    sa.CheckConstraint('price_fen >= 0 AND minutes >= 0', name=op.f('ck_price_split_price')),
    sa.ForeignKeyConstraint(['elder_id'], ['elder.id'], name=op.f('fk_price_split_elder_id_elder')),
    sa.ForeignKeyConstraint(['work_order_id'], ['work_order.id'], name=op.f('fk_price_split_work_order_id_work_order')),
    sa.PrimaryKeyConstraint('work_order_id', name=op.f('pk_price_split'))
    )
    with op.batch_alter_table('price_split', schema=None) as batch_op:
        batch_op.create_index('ix_price_split_elder', ['elder_id', 'use_on'], unique=False)
        batch_op.create_index('ix_price_split_period', ['period', 'state'], unique=False)

    op.create_table('settlement_held',
    sa.Column('run_id', sa.String(length=40), nullable=False),
    sa.Column('work_order_id', sa.String(length=40), nullable=False),
    sa.Column('vendor_id', sa.String(length=40), nullable=True),
    sa.Column('reason', sa.String(length=30), nullable=False),
    sa.Column('facts', sa.JSON(), nullable=False),
    sa.ForeignKeyConstraint(['run_id'], ['settlement_run.id'], name=op.f('fk_settlement_held_run_id_settlement_run')),
    sa.ForeignKeyConstraint(['vendor_id'], ['vendor.id'], name=op.f('fk_settlement_held_vendor_id_vendor')),
    sa.ForeignKeyConstraint(['work_order_id'], ['work_order.id'], name=op.f('fk_settlement_held_work_order_id_work_order')),
    sa.PrimaryKeyConstraint('run_id', 'work_order_id', name=op.f('pk_settlement_held'))
    )
    with op.batch_alter_table('settlement_held', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_settlement_held_vendor_id'), ['vendor_id'], unique=False)

    op.create_table('statement_line',
    sa.Column('statement_id', sa.String(length=40), nullable=False),
    sa.Column('number', sa.Integer(), nullable=False),
    sa.Column('kind', sa.String(length=8), nullable=False),
    sa.Column('work_order_id', sa.String(length=40), nullable=False),
    sa.Column('visit_id', sa.String(length=40), nullable=True),
    sa.Column('elder_id', sa.String(length=40), nullable=False),
    sa.Column('service_code', sa.String(length=8), nullable=False),
    sa.Column('visit_on', sa.Date(), nullable=False),
    sa.Column('origin_period', sa.String(length=7), nullable=False),
    sa.Column('minutes', sa.Integer(), nullable=False),
    sa.Column('total_fen', sa.BigInteger(), nullable=False),
    sa.Column('by_programme', sa.JSON(), nullable=False),
    sa.CheckConstraint("kind IN ('visit', 'fee', 'reversal')", name=op.f('ck_statement_line_kind')),
    sa.ForeignKeyConstraint(['elder_id'], ['elder.id'], name=op.f('fk_statement_line_elder_id_elder')),
    sa.ForeignKeyConstraint(['statement_id'], ['statement.id'], name=op.f('fk_statement_line_statement_id_statement')),
    sa.ForeignKeyConstraint(['work_order_id'], ['work_order.id'], name=op.f('fk_statement_line_work_order_id_work_order')),
    sa.PrimaryKeyConstraint('statement_id', 'number', name=op.f('pk_statement_line')),
    sa.UniqueConstraint('work_order_id', 'kind', name=op.f('uq_statement_line_work_order_id_kind'))
    )
    op.create_table('visit',
    sa.Column('id', sa.String(length=40), nullable=False),
    sa.Column('work_order_id', sa.String(length=40), nullable=False),
    sa.Column('caregiver_id', sa.String(length=40), nullable=False),
    sa.Column('elder_id', sa.String(length=40), nullable=False),
    sa.Column('service_code', sa.String(length=8), nullable=False),
    sa.Column('visit_on', sa.Date(), nullable=False),
    sa.Column('lat', sa.Float(), nullable=True),
    sa.Column('lng', sa.Float(), nullable=True),
    sa.Column('check_in_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('check_out_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('verdict', sa.String(length=10), nullable=False),
    sa.Column('findings', sa.JSON(), nullable=False),
    sa.CheckConstraint("verdict IN ('open', 'verified', 'held', 'blocked')", name=op.f('ck_visit_verdict')),
    sa.ForeignKeyConstraint(['caregiver_id'], ['caregiver.id'], name=op.f('fk_visit_caregiver_id_caregiver')),
    sa.ForeignKeyConstraint(['elder_id'], ['elder.id'], name=op.f('fk_visit_elder_id_elder')),
    sa.ForeignKeyConstraint(['service_code'], ['service.code'], name=op.f('fk_visit_service_code_service')),
    sa.ForeignKeyConstraint(['work_order_id'], ['work_order.id'], name=op.f('fk_visit_work_order_id_work_order')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_visit'))
    )
    with op.batch_alter_table('visit', schema=None) as batch_op:
        batch_op.create_index('ix_visit_caregiver_day', ['caregiver_id', 'visit_on'], unique=False)
        batch_op.create_index('ix_visit_elder_day', ['elder_id', 'visit_on'], unique=False)
        batch_op.create_index('ix_visit_work_order', ['work_order_id', 'caregiver_id'], unique=True)

    op.create_table('work_order_event',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=True, nullable=False),
    sa.Column('work_order_id', sa.String(length=40), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('from_state', sa.String(length=12), nullable=True),
    sa.Column('to_state', sa.String(length=12), nullable=False),
    sa.Column('actor_id', sa.String(length=40), nullable=False),
    sa.Column('role', sa.String(length=20), nullable=False),
    sa.Column('reason', sa.String(length=200), nullable=True),
    sa.ForeignKeyConstraint(['work_order_id'], ['work_order.id'], name=op.f('fk_work_order_event_work_order_id_work_order')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_work_order_event'))
    )
    with op.batch_alter_table('work_order_event', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_work_order_event_work_order_id'), ['work_order_id'], unique=False)

    op.create_table('evidence',
    sa.Column('id', sa.String(length=40), nullable=False),
    sa.Column('visit_id', sa.String(length=40), nullable=False),
    sa.Column('kind', sa.String(length=20), nullable=False),
    sa.Column('method', sa.String(length=20), nullable=False),
    sa.Column('at_device', sa.DateTime(timezone=True), nullable=False),
    sa.Column('received_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('lat', sa.Float(), nullable=True),
    sa.Column('lng', sa.Float(), nullable=True),
    sa.Column('accuracy_m', sa.Integer(), nullable=True),
    sa.Column('device_id', sa.String(length=40), nullable=True),
    sa.Column('offline', sa.Boolean(), nullable=False),
    sa.Column('by_account', sa.String(length=40), nullable=False),
    sa.Column('note', sa.String(length=200), nullable=False),
    sa.Column('facts', sa.JSON(), nullable=False),
    sa.ForeignKeyConstraint(['visit_id'], ['visit.id'], name=op.f('fk_evidence_visit_id_visit')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_evidence'))
    )
    with op.batch_alter_table('evidence', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_evidence_device_id'), ['device_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_evidence_visit_id'), ['visit_id'], unique=False)

    op.create_table('held_answer',
    sa.Column('id', sa.String(length=40), nullable=False),
    sa.Column('run_id', sa.String(length=40), nullable=False),
    sa.Column('work_order_id', sa.String(length=40), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('by', sa.String(length=40), nullable=False),
    sa.Column('text', sa.String(length=500), nullable=False),
    sa.Column('text_sha256', sa.String(length=64), nullable=False),
    sa.ForeignKeyConstraint(['run_id', 'work_order_id'], ['settlement_held.run_id', 'settlement_held.work_order_id'], name='fk_held_answer_held'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_held_answer'))
    )
    with op.batch_alter_table('held_answer', schema=None) as batch_op:
        batch_op.create_index('ix_held_answer_of', ['run_id', 'work_order_id'], unique=False)

    op.create_table('redemption',
    sa.Column('work_order_id', sa.String(length=40), nullable=False),
    sa.Column('visit_id', sa.String(length=40), nullable=False),
    sa.Column('vendor_id', sa.String(length=40), nullable=False),
    sa.Column('period', sa.String(length=7), nullable=False),
    sa.Column('price_fen', sa.BigInteger(), nullable=False),
    sa.Column('minutes_delivered', sa.Integer(), nullable=True),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['vendor_id'], ['vendor.id'], name=op.f('fk_redemption_vendor_id_vendor')),
    sa.ForeignKeyConstraint(['visit_id'], ['visit.id'], name=op.f('fk_redemption_visit_id_visit')),
    sa.ForeignKeyConstraint(['work_order_id'], ['price_split.work_order_id'], name=op.f('fk_redemption_work_order_id_price_split')),
    sa.PrimaryKeyConstraint('work_order_id', name=op.f('pk_redemption')),
    sa.UniqueConstraint('visit_id', name=op.f('uq_redemption_visit_id')),
    sa.UniqueConstraint('work_order_id', 'visit_id', name=op.f('uq_redemption_work_order_id_visit_id'))
    )
    with op.batch_alter_table('redemption', schema=None) as batch_op:
        batch_op.create_index('ix_redemption_vendor', ['vendor_id', 'period'], unique=False)

    op.create_table('ledger_transfer',
    sa.Column('serial', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=True, nullable=False),
    sa.Column('id', sa.String(length=120), nullable=False),
    sa.Column('kind', sa.String(length=8), nullable=False),
    sa.Column('code', sa.String(length=16), nullable=False),
    sa.Column('unit', sa.String(length=7), nullable=False),
    sa.Column('debit_account', sa.String(length=120), nullable=False),
    sa.Column('credit_account', sa.String(length=120), nullable=False),
    sa.Column('amount', sa.BigInteger(), nullable=False),
    sa.Column('pending_id', sa.String(length=120), nullable=True),
    sa.Column('reverses_id', sa.String(length=120), nullable=True),
    sa.Column('work_order_id', sa.String(length=40), nullable=True),
    sa.Column('visit_id', sa.String(length=40), nullable=True),
    sa.Column('period', sa.String(length=7), nullable=False),
    sa.Column('terms_sha256', sa.String(length=64), nullable=True),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint("(kind = 'post') = (visit_id IS NOT NULL)", name=op.f('ck_ledger_transfer_visit')),
    sa.CheckConstraint("(kind = 'reversal') = (reverses_id IS NOT NULL)", name=op.f('ck_ledger_transfer_reverses')),
    sa.CheckConstraint("(kind IN ('post', 'void', 'expire')) = (pending_id IS NOT NULL)", name=op.f('ck_ledger_transfer_resolves')),
    sa.CheckConstraint("kind IN ('pending', 'post', 'void', 'expire', 'direct', 'reversal')", name=op.f('ck_ledger_transfer_kind')),
    sa.CheckConstraint("kind NOT IN ('pending', 'post') OR work_order_id IS NOT NULL", name=op.f('ck_ledger_transfer_work_order')),
    sa.CheckConstraint('amount > 0', name=op.f('ck_ledger_transfer_amount')),
    sa.CheckConstraint('debit_account <> credit_account', name=op.f('ck_ledger_transfer_two_accounts')),
    sa.ForeignKeyConstraint(['credit_account', 'unit'], ['ledger_account.id', 'ledger_account.unit'], name='fk_ledger_transfer_credit'),
    sa.ForeignKeyConstraint(['debit_account', 'unit'], ['ledger_account.id', 'ledger_account.unit'], name='fk_ledger_transfer_debit'),
    sa.ForeignKeyConstraint(['pending_id'], ['ledger_transfer.id'], name=op.f('fk_ledger_transfer_pending_id_ledger_transfer')),
    sa.ForeignKeyConstraint(['reverses_id'], ['ledger_transfer.id'], name=op.f('fk_ledger_transfer_reverses_id_ledger_transfer')),
    sa.ForeignKeyConstraint(['work_order_id', 'visit_id'], ['redemption.work_order_id', 'redemption.visit_id'], name='fk_ledger_transfer_redemption'),
    sa.PrimaryKeyConstraint('serial', name=op.f('pk_ledger_transfer')),
    sa.UniqueConstraint('id', name=op.f('uq_ledger_transfer_id')),
    sa.UniqueConstraint('pending_id', name=op.f('uq_ledger_transfer_pending_id')),
    sa.UniqueConstraint('reverses_id', name=op.f('uq_ledger_transfer_reverses_id'))
    )
    with op.batch_alter_table('ledger_transfer', schema=None) as batch_op:
        batch_op.create_index('ix_ledger_transfer_credit', ['credit_account'], unique=False)
        batch_op.create_index('ix_ledger_transfer_debit', ['debit_account'], unique=False)
        batch_op.create_index('ix_ledger_transfer_work_order', ['work_order_id'], unique=False)

    op.create_table('price_share',
    sa.Column('work_order_id', sa.String(length=40), nullable=False),
    sa.Column('revision', sa.Integer(), nullable=False),
    sa.Column('position', sa.Integer(), nullable=False),
    sa.Column('programme_code', sa.String(length=12), nullable=False),
    sa.Column('programme_version', sa.Date(), nullable=True),
    sa.Column('tier', sa.String(length=20), nullable=False),
    sa.Column('unit', sa.String(length=7), nullable=False),
    sa.Column('fen', sa.BigInteger(), nullable=False),
    sa.Column('minutes', sa.Integer(), nullable=False),
    sa.Column('rate_fen_per_hour', sa.Integer(), nullable=False),
    sa.Column('account_id', sa.String(length=120), nullable=False),
    sa.Column('pending_id', sa.String(length=120), nullable=True),
    sa.Column('pending_minutes_id', sa.String(length=120), nullable=True),
    sa.CheckConstraint('fen >= 0 AND minutes >= 0 AND fen + minutes > 0', name=op.f('ck_price_share_amounts')),
    sa.ForeignKeyConstraint(['pending_id'], ['ledger_transfer.id'], name=op.f('fk_price_share_pending_id_ledger_transfer')),
    sa.ForeignKeyConstraint(['pending_minutes_id'], ['ledger_transfer.id'], name=op.f('fk_price_share_pending_minutes_id_ledger_transfer')),
    sa.ForeignKeyConstraint(['work_order_id'], ['price_split.work_order_id'], name=op.f('fk_price_share_work_order_id_price_split')),
    sa.PrimaryKeyConstraint('work_order_id', 'revision', 'position', name=op.f('pk_price_share')),
    sa.UniqueConstraint('pending_id', name=op.f('uq_price_share_pending_id')),
    sa.UniqueConstraint('pending_minutes_id', name=op.f('uq_price_share_pending_minutes_id'))
    )
    with op.batch_alter_table('price_share', schema=None) as batch_op:
        batch_op.create_index('ix_price_share_account', ['account_id'], unique=False)

    for statement in TRIGGERS[op.get_bind().dialect.name]:
        op.execute(sa.DDL(statement))


def downgrade():
    with op.batch_alter_table('price_share', schema=None) as batch_op:
        batch_op.drop_index('ix_price_share_account')

    op.drop_table('price_share')
    with op.batch_alter_table('ledger_transfer', schema=None) as batch_op:
        batch_op.drop_index('ix_ledger_transfer_work_order')
        batch_op.drop_index('ix_ledger_transfer_debit')
        batch_op.drop_index('ix_ledger_transfer_credit')

    op.drop_table('ledger_transfer')
    with op.batch_alter_table('redemption', schema=None) as batch_op:
        batch_op.drop_index('ix_redemption_vendor')

    op.drop_table('redemption')
    with op.batch_alter_table('held_answer', schema=None) as batch_op:
        batch_op.drop_index('ix_held_answer_of')

    op.drop_table('held_answer')
    with op.batch_alter_table('evidence', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_evidence_visit_id'))
        batch_op.drop_index(batch_op.f('ix_evidence_device_id'))

    op.drop_table('evidence')
    with op.batch_alter_table('work_order_event', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_work_order_event_work_order_id'))

    op.drop_table('work_order_event')
    with op.batch_alter_table('visit', schema=None) as batch_op:
        batch_op.drop_index('ix_visit_work_order')
        batch_op.drop_index('ix_visit_elder_day')
        batch_op.drop_index('ix_visit_caregiver_day')

    op.drop_table('visit')
    op.drop_table('statement_line')
    with op.batch_alter_table('settlement_held', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_settlement_held_vendor_id'))

    op.drop_table('settlement_held')
    with op.batch_alter_table('price_split', schema=None) as batch_op:
        batch_op.drop_index('ix_price_split_period')
        batch_op.drop_index('ix_price_split_elder')

    op.drop_table('price_split')
    op.drop_table('left_out')
    with op.batch_alter_table('job_offer', schema=None) as batch_op:
        batch_op.drop_index('uq_job_offer_accepted', sqlite_where=sa.text("state = 'accepted'"), postgresql_where=sa.text("state = 'accepted'"))
        batch_op.drop_index(batch_op.f('ix_job_offer_work_order_id'))
        batch_op.drop_index('ix_job_offer_vendor_state')
        batch_op.drop_index('ix_job_offer_due')

    op.drop_table('job_offer')
    with op.batch_alter_table('assignment', schema=None) as batch_op:
        batch_op.drop_index('ix_assignment_caregiver_start')

    op.drop_table('assignment')
    with op.batch_alter_table('work_order', schema=None) as batch_op:
        batch_op.drop_index('ix_work_order_vendor_day')
        batch_op.drop_index('ix_work_order_state')
        batch_op.drop_index('ix_work_order_elder_day')
        batch_op.drop_index('ix_work_order_day')

    op.drop_table('work_order')
    with op.batch_alter_table('family_link', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_family_link_phone_index'))
        batch_op.drop_index(batch_op.f('ix_family_link_elder_id'))
        batch_op.drop_index(batch_op.f('ix_family_link_account_id'))

    op.drop_table('family_link')
    op.drop_table('account_role')
    with op.batch_alter_table('shift', schema=None) as batch_op:
        batch_op.drop_index('ix_shift_day')

    op.drop_table('shift')
    with op.batch_alter_table('order_', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_order__elder_id'))

    op.drop_table('order_')
    with op.batch_alter_table('leave', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_leave_caregiver_id'))

    op.drop_table('leave')
    with op.batch_alter_table('certificate', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_certificate_caregiver_id'))

    op.drop_table('certificate')
    with op.batch_alter_table('account', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_account_vendor_id'))
        batch_op.drop_index(batch_op.f('ix_account_elder_id'))
        batch_op.drop_index(batch_op.f('ix_account_caregiver_id'))

    op.drop_table('account')
    op.drop_table('statement_signature')
    with op.batch_alter_table('service_version', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_service_version_service_code'))

    op.drop_table('service_version')
    with op.batch_alter_table('entitlement', schema=None) as batch_op:
        batch_op.drop_index('ix_entitlement_period')
        batch_op.drop_index(batch_op.f('ix_entitlement_grant_run_id'))
        batch_op.drop_index('ix_entitlement_ends_on')

    op.drop_table('entitlement')
    with op.batch_alter_table('caregiver', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_caregiver_vendor_id'))
        batch_op.drop_index(batch_op.f('ix_caregiver_phone_index'))

    op.drop_table('caregiver')
    with op.batch_alter_table('vendor_licence', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_vendor_licence_vendor_id'))

    op.drop_table('vendor_licence')
    op.drop_table('vendor_district')
    op.drop_table('vendor_category')
    with op.batch_alter_table('statement', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_statement_vendor_id'))
        batch_op.drop_index(batch_op.f('ix_statement_run_id'))

    op.drop_table('statement')
    with op.batch_alter_table('site', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_site_kind'))
        batch_op.drop_index(batch_op.f('ix_site_district_code'))

    op.drop_table('site')
    with op.batch_alter_table('service', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_service_category_code'))

    op.drop_table('service')
    with op.batch_alter_table('ledger_account', schema=None) as batch_op:
        batch_op.drop_index('ix_ledger_account_vendor')
        batch_op.drop_index('ix_ledger_account_elder')

    op.drop_table('ledger_account')
    with op.batch_alter_table('consent', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_consent_elder_id'))

    op.drop_table('consent')
    with op.batch_alter_table('assessment', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_assessment_elder_id'))

    op.drop_table('assessment')
    op.drop_table('vendor')
    op.drop_table('settlement_run')
    op.drop_table('role')
    with op.batch_alter_table('outbox_message', schema=None) as batch_op:
        batch_op.drop_index('ix_outbox_message_due')

    op.drop_table('outbox_message')
    op.drop_table('ledger_seal')
    with op.batch_alter_table('grant_run', schema=None) as batch_op:
        batch_op.drop_index('ix_grant_run_period')

    op.drop_table('grant_run')
    with op.batch_alter_table('elder', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_elder_phone_index'))
        batch_op.drop_index(batch_op.f('ix_elder_initials'))
        batch_op.drop_index('ix_elder_area')

    op.drop_table('elder')
    with op.batch_alter_table('dispatch_run', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_dispatch_run_day'))

    op.drop_table('dispatch_run')
    with op.batch_alter_table('command_key', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_command_key_at'))

    op.drop_table('command_key')
    op.drop_table('category')
    with op.batch_alter_table('audit_event', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_audit_event_subject_id'))
        batch_op.drop_index(batch_op.f('ix_audit_event_at'))

    op.drop_table('audit_event')
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION IF EXISTS nuanju_refuse_change() CASCADE")
