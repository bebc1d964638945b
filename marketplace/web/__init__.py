"""HTTP and pages. Calls workflows and queries, nothing below them."""

from __future__ import annotations

from apiflask import APIFlask
from flask_sqlalchemy import SQLAlchemy

from marketplace.web import (
    api,
    asked,
    assets,
    auth,
    compression,
    errors,
    formats,
    headers,
    i18n,
    pages,
    throttle,
)


def register(app: APIFlask, db: SQLAlchemy) -> None:
    """Add every route of the product to the application."""
    settings = app.extensions["settings"]
    i18n.register(app)
    formats.register(app)
    assets.register(app, settings.instance)
    compression.register(app)
    headers.register(app, settings)
    errors.register(app)
    auth.register(app, db, settings)
    asked.register(app)
    pages.register(app, db)
    api.register(app)
    throttle.register(app)

    @app.get("/healthz")
    @auth.public
    def healthz() -> dict[str, str]:
        """Say that the process answers."""
        return {"status": "ok"}
