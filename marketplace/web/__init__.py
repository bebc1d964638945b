"""HTTP and pages. Calls workflows and queries, nothing below them."""

from __future__ import annotations

from apiflask import APIFlask
from flask_sqlalchemy import SQLAlchemy


def register(app: APIFlask, db: SQLAlchemy) -> None:
    """Add every route of the product to the application."""

    @app.get("/healthz")
    def healthz() -> dict[str, str]:
        """Say that the process answers."""
        return {"status": "ok"}
