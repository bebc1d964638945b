"""What every handler has at hand: the request's database session and the application's adapters."""

from __future__ import annotations

from flask import current_app
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.orm import Session

from marketplace.kernel.ports import Ports


def session() -> Session:
    """Return the request's database session."""
    db: SQLAlchemy = current_app.extensions["sqlalchemy"]
    found: Session = db.session()
    return found


def ports() -> Ports:
    """Return the application's adapters."""
    found: Ports = current_app.extensions["ports"]
    return found
