"""the register's number of a caller

Revision ID: 0011
Revises: 0010

"""
from alembic import op
import sqlalchemy as sa


revision = '0011'
down_revision = '0010'
branch_labels = None
depends_on = None


def upgrade():
    with op.batch_alter_table('elder', schema=None) as batch_op:
        batch_op.add_column(sa.Column('register_id', sa.String(length=40), nullable=True))
        batch_op.create_index('uq_elder_register_id', ['register_id'], unique=True)


def downgrade():
    with op.batch_alter_table('elder', schema=None) as batch_op:
        batch_op.drop_index('uq_elder_register_id')
        batch_op.drop_column('register_id')
