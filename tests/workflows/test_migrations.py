"""Migrations build exactly what the models say, on both engines, up and down and up again."""

from __future__ import annotations

import re

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from flask_migrate import downgrade, upgrade
from sqlalchemy import text

from marketplace.app import create_app, db
from marketplace.config import Settings
from marketplace.kernel.db import Base


def _triggers(engine) -> dict[str, str]:
    """Name -> definition of every trigger and trigger function, spaces folded."""
    queries = {
        "sqlite": ["SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"],
        "postgresql": [
            "SELECT tgname || '/' || tgrelid::regclass, pg_get_triggerdef(oid) FROM pg_trigger"
            " WHERE NOT tgisinternal",
            "SELECT proname, prosrc FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace"
            " WHERE nspname = 'public'",
        ],
    }
    with engine.connect() as c:
        return {
            name: re.sub(r"\s+", " ", definition).strip()
            for q in queries[engine.dialect.name]
            for name, definition in c.execute(text(q))
        }


def test_migrations_and_models_are_one(empty_url, tmp_path):
    app = create_app(
        Settings(
            database_url=empty_url, instance=tmp_path / "i", secret_key="s" * 40, data_key="d" * 40
        )
    )
    with app.app_context():
        upgrade()
        downgrade(revision="base")
        upgrade()
        with db.engine.connect() as c:
            assert compare_metadata(MigrationContext.configure(c), Base.metadata) == []
        migrated = _triggers(db.engine)
        downgrade(revision="base")
        Base.metadata.create_all(db.engine)
        assert migrated == _triggers(db.engine)
        db.engine.dispose()
