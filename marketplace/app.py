"""Wiring only: settings, database, adapters, pages and commands become one application."""

from __future__ import annotations

from pathlib import Path

from apiflask import APIFlask
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy

from marketplace import commands, web
from marketplace.adapters.crosscheck import FileCrossChecks
from marketplace.adapters.feed import LocalFeed, RedisFeed
from marketplace.adapters.geocoder import build_geocoder
from marketplace.adapters.national_voucher import FileVoucherSystem
from marketplace.adapters.null import BareWording, OutboxNotifier
from marketplace.adapters.payments import FilePayments
from marketplace.adapters.pdf import WeasyPrinter
from marketplace.config import Settings
from marketplace.kernel import log
from marketplace.kernel.clock import Clock, SystemClock
from marketplace.kernel.crypto import Vault
from marketplace.kernel.db import Base, prepare_engine
from marketplace.kernel.ports import Ports, Wording
from marketplace.tables import TABLES
from marketplace.web.messages import ChineseWording

db = SQLAlchemy(model_class=Base)
migrate = Migrate()


def build_ports(
    settings: Settings, clock: Clock | None = None, *, wording: Wording | None = None
) -> Ports:
    """Return the adapters that the settings ask for; ``wording`` is the pages', where there are any."""
    return Ports(
        clock=clock or SystemClock(),
        vault=Vault({"k1": settings.secret("data_key").encode()}),
        notifier=OutboxNotifier(),
        geocoder=build_geocoder(settings),
        wording=wording or BareWording(),
        live=RedisFeed(settings.redis_url) if settings.redis_url else LocalFeed(),
        outside={"NV": FileVoucherSystem(settings.instance / "national_voucher.sqlite3")},
        printer=WeasyPrinter(),
        payments=FilePayments(settings.instance / "payments.sqlite3"),
        crosschecks=FileCrossChecks(),
    )


def create_app(settings: Settings | None = None, *, clock: Clock | None = None) -> APIFlask:
    """Return the application. ``clock`` is for tests, which choose their own day."""
    settings = settings or Settings()
    log.configure(level=settings.log_level)
    settings.instance.mkdir(parents=True, exist_ok=True)
    app = APIFlask(
        "marketplace",
        title="暖居 Nuanju",
        version="1",
        instance_path=str(settings.instance.resolve()),
        static_folder=None,
        template_folder="web/templates",
        json_errors=False,
        docs_path=None,
        spec_path="/api/v1/openapi.json",
    )
    app.config.update(
        SECRET_KEY=settings.secret("secret_key"),
        SQLALCHEMY_DATABASE_URI=settings.sqlalchemy_url,
        SQLALCHEMY_ENGINE_OPTIONS={"pool_pre_ping": True},
    )
    assert TABLES
    db.init_app(app)
    migrate.init_app(app, db, directory=str(Path(__file__).parent / "migrations"))
    with app.app_context():
        prepare_engine(db.engine)
    app.extensions["settings"] = settings
    app.extensions["ports"] = build_ports(settings, clock, wording=ChineseWording(app))
    web.register(app, db)
    commands.register(app)
    return app
