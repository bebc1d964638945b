"""Migrations build exactly what the models say, on both engines, up and down and up again."""

from __future__ import annotations

import re
from datetime import date

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from flask_migrate import downgrade, upgrade
from sqlalchemy import text

from marketplace.app import create_app, db
from marketplace.config import Settings
from marketplace.elders import witness
from marketplace.elders.models import Assessment, ElderFact
from marketplace.kernel.db import Base
from tests.builders import NOW, an_elder


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


def test_facts_from_before_witnessing_began_are_witnessed_as_they_stand(empty_url, tmp_path):
    app = create_app(
        Settings(
            database_url=empty_url, instance=tmp_path / "i", secret_key="s" * 40, data_key="d" * 40
        )
    )
    with app.app_context():
        upgrade()
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(witness, "record_elders", lambda *_, **__: None)
            an_elder(db.session)
        values = {"elder_id": "E1", "recorded_at": NOW, "recorded_by": "b", "source": "list"}
        for value, since in (("N", date(1900, 1, 1)), ("Y", date(2026, 11, 1))):
            db.session.add(ElderFact(name="hukou_local", value=value, from_on=since, **values))
        until = date(2027, 2, 28)
        db.session.add(
            Assessment(
                elder_id="E1", assessed_on=date(2026, 3, 1), valid_until=until, score=50, level=2
            )
        )
        db.session.commit()
        unseen = [f.rule for f in witness.verify(db.session.connection())]
        assert unseen == ["nobody recorded it"] * 4
        db.session.remove()
        downgrade(revision="0011")
        upgrade()
        assert list(witness.verify(db.session.connection())) == []
        db.session.remove()
        db.engine.dispose()
