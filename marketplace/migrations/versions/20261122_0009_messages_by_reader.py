"""Messages are found by who reads them.

Revision ID: 0009
Revises: 0008
"""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "ix_outbox_message_recipient",
        "outbox_message",
        ["recipient_kind", "recipient_id", "due_at"],
    )


def downgrade() -> None:
    op.drop_index("ix_outbox_message_recipient", "outbox_message")
