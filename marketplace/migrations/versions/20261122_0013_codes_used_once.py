"""The last one-time code of an account is remembered.

Revision ID: 0013
Revises: 0012
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("account", sa.Column("tf_last_counter", sa.Integer(), nullable=True))


def downgrade() -> None:
    op.drop_column("account", "tf_last_counter")
