"""``marketplace serve``: the web server."""

from __future__ import annotations

import threading
from typing import Any

import click
from flask import Flask, current_app
from flask.cli import with_appcontext
from gunicorn.app.base import BaseApplication
from gunicorn.workers.gthread import ThreadWorker

from marketplace.workflows import day_part


class _Server(BaseApplication):  # type: ignore[misc]
    """gunicorn with our settings in place of a file of its own."""

    def __init__(self, app: Flask, options: dict[str, Any]) -> None:
        self._app = app
        self._options = options
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._options.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        return self._app


class _Worker(ThreadWorker):  # type: ignore[misc]
    """A worker whose live streams end with it: told to stop, interrupted, or renewed after its time.

    gunicorn waits half a minute for requests under way, and an open page always has one.
    """

    @property
    def alive(self) -> bool:
        return self._alive

    @alive.setter
    def alive(self, alive: bool) -> None:
        self._alive = alive
        if not alive:
            self.app.load().extensions["ports"].live.close()


def _warm_up(_server: Any, _worker: Any) -> None:
    """Load the dispatcher beside the first requests: it takes a second, and somebody will ask."""
    threading.Thread(target=day_part.warm_up, daemon=True).start()


def _compile_templates(app: Flask) -> None:
    """Compile every template before the workers fork, so that no visitor waits for one."""
    assert app.jinja_loader is not None
    for name in app.jinja_loader.list_templates():
        app.jinja_env.get_template(name)


def run_server(app: Flask, *, host: str, port: int, workers: int) -> None:
    """Serve until stopped. A worker that dies is replaced; each is renewed after 5,000 requests.

    Connections that the caller opened are given up first: a forked worker must make its own.
    """
    _compile_templates(app)
    with app.app_context():
        app.extensions["sqlalchemy"].engine.dispose()
    _Server(
        app,
        {
            "bind": f"{host}:{port}",
            "workers": workers,
            "worker_class": _Worker,
            "threads": 32,
            "max_requests": 5_000,
            "max_requests_jitter": 500,
            "timeout": 120,
            # A person's next tap finds the connection still open; idle ones hold no thread.
            "keepalive": 15,
            "accesslog": None,
            "loglevel": "warning",
            "control_socket_disable": True,
            "post_fork": _warm_up,
        },
    ).run()


@click.command("serve")
@click.option("--host", default=None, help="Address to listen on; NUANJU_HOST.")
@click.option("--port", type=click.IntRange(1, 65535), default=None, help="Port; NUANJU_PORT.")
@with_appcontext
def serve(host: str | None, port: int | None) -> None:
    """Serve the pages and the API."""
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    settings = app.extensions["settings"]
    run_server(
        app,
        host=host or settings.host,
        port=port or settings.port,
        workers=settings.web_workers,
    )
