"""Applications for grants, and homes that had one, are written once.

Revision ID: 0010
Revises: 0009
"""

# ruff: noqa: E501 -- a trigger is read best on one line.

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

TRIGGERS = {
    "sqlite": [
        "CREATE TRIGGER grant_application_no_update BEFORE UPDATE OF id, programme_code, elder_id, home_sha256, note, applied_by, applied_at ON grant_application BEGIN SELECT RAISE(ABORT, 'grant_application: rows are never changed or deleted'); END",
        "CREATE TRIGGER grant_application_no_delete BEFORE DELETE ON grant_application BEGIN SELECT RAISE(ABORT, 'grant_application: rows are never changed or deleted'); END",
        "CREATE TRIGGER home_grant_no_update BEFORE UPDATE OF programme_code, home_sha256 ON home_grant BEGIN SELECT RAISE(ABORT, 'home_grant: rows are never changed or deleted'); END",
        "CREATE TRIGGER home_grant_no_delete BEFORE DELETE ON home_grant BEGIN SELECT RAISE(ABORT, 'home_grant: rows are never changed or deleted'); END",
    ],
    "postgresql": [
        "CREATE TRIGGER grant_application_no_update BEFORE UPDATE OF id, programme_code, elder_id, home_sha256, note, applied_by, applied_at ON grant_application FOR EACH ROW EXECUTE FUNCTION nuanju_refuse_change()",
        "CREATE TRIGGER grant_application_no_truncate BEFORE TRUNCATE ON grant_application FOR EACH STATEMENT EXECUTE FUNCTION nuanju_refuse_change()",
        "CREATE TRIGGER grant_application_no_delete BEFORE DELETE ON grant_application FOR EACH ROW EXECUTE FUNCTION nuanju_refuse_change()",
        "CREATE TRIGGER home_grant_no_update BEFORE UPDATE OF programme_code, home_sha256 ON home_grant FOR EACH ROW EXECUTE FUNCTION nuanju_refuse_change()",
        "CREATE TRIGGER home_grant_no_truncate BEFORE TRUNCATE ON home_grant FOR EACH STATEMENT EXECUTE FUNCTION nuanju_refuse_change()",
        "CREATE TRIGGER home_grant_no_delete BEFORE DELETE ON home_grant FOR EACH ROW EXECUTE FUNCTION nuanju_refuse_change()",
    ],
}


def upgrade() -> None:
    for statement in TRIGGERS[op.get_bind().dialect.name]:
        op.execute(statement)


def downgrade() -> None:
    on = "" if op.get_bind().dialect.name == "sqlite" else " ON {table}"
    for table in ("grant_application", "home_grant"):
        for act in ("update", "delete") if not on else ("update", "delete", "truncate"):
            op.execute(f"DROP TRIGGER {table}_no_{act}{on.format(table=table)}")
