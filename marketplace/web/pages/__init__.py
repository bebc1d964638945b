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
    live,
    money,
    ordering,
    session,
    vendor,
    work,
)

_DESKS = (session, ordering, elder, work, hotline, vendor, caregiver, bureau, money, live)


def register(app: APIFlask, db: SQLAlchemy) -> None:
    """Add the pages to the application."""
    frame.register(app)
    live.register(app)
    for desk in _DESKS:
        app.register_blueprint(desk.bp)
