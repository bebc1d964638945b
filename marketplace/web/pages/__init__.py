"""The pages: one module for each desk."""

from __future__ import annotations

from apiflask import APIFlask
from flask_sqlalchemy import SQLAlchemy

from marketplace.web.pages import (
    board,
    bureau,
    caregiver,
    cases,
    debts,
    elder,
    elder_file,
    fairness,
    family,
    frame,
    grants,
    hotline,
    live,
    messages,
    money,
    moving,
    ordering,
    paper,
    programmes,
    purses,
    session,
    settlement,
    site,
    statements,
    vendor,
    vendor_market,
    vendor_money,
    vendor_people,
    work,
)

_DESKS = (
    session,
    ordering,
    elder,
    family,
    work,
    moving,
    hotline,
    paper,
    vendor,
    vendor_people,
    vendor_money,
    vendor_market,
    board,
    caregiver,
    site,
    bureau,
    cases,
    grants,
    programmes,
    settlement,
    fairness,
    money,
    debts,
    statements,
    messages,
    purses,
    elder_file,
    live,
)


def register(app: APIFlask, db: SQLAlchemy) -> None:
    """Add the pages to the application."""
    frame.register(app)
    live.register(app)
    for desk in _DESKS:
        app.register_blueprint(desk.bp)
