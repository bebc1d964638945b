"""The pages: one module for each desk."""

from __future__ import annotations

from apiflask import APIFlask
from flask_sqlalchemy import SQLAlchemy

from marketplace.web.pages import (
    bureau,
    caregiver,
    elder,
    frame,
    hotline,
    ordering,
    session,
    vendor,
    work,
)


def register(app: APIFlask, db: SQLAlchemy) -> None:
    """Add the pages to the application."""
    frame.register(app)
    for module in (session, bureau, ordering, elder, vendor, work, caregiver, hotline):
        app.register_blueprint(module.bp)
