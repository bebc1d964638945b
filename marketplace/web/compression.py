"""Answers made smaller on their way: brotli or gzip, whichever the browser takes.

What is streamed is left alone, so that a live event leaves when it happens. Static files are
compressed once, at the start, by ``assets``.
"""

from __future__ import annotations

from apiflask import APIFlask
from flask_compress import Compress

_KINDS = [
    "text/html",
    "text/plain",
    "text/csv",
    "application/json",
    "application/problem+json",
    "image/svg+xml",
]


def register(app: APIFlask) -> None:
    """Compress what the routes answer. Called before whoever else works on an answer, so it runs last."""
    app.config.update(
        COMPRESS_MIMETYPES=_KINDS,
        COMPRESS_ALGORITHM=["br", "gzip"],
        COMPRESS_STREAMS=False,
    )
    Compress(app)
