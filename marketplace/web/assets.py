"""Static files under names that carry their hash, compressed once at the start, served by WhiteNoise."""

from __future__ import annotations

import gzip
import hashlib
import os
import re
import secrets
from pathlib import Path

from apiflask import APIFlask
from whitenoise import WhiteNoise

STATIC = Path(__file__).resolve().parents[2] / "static"
_HASHED = re.compile(r"\.[0-9a-f]{10}\.[a-z0-9]+$")
_TEXT = {".css", ".js", ".svg", ".json", ".geojson", ".webmanifest"}


class NoSuchAsset(LookupError):
    """A template names a static file that is not there: a fault of ours."""


def register(app: APIFlask, instance: Path) -> None:
    """Serve the static folder below ``/static/`` and give templates ``asset('css/app.css')``.

    The hashed copies stand in the instance folder; a file that is there already is left alone, so
    that several processes may start at once.
    """
    kept = instance / "static"
    names = {
        file.relative_to(STATIC).as_posix(): _copy(file, kept)
        for file in sorted(STATIC.rglob("*"))
        if file.is_file() and not file.name.startswith(".")
    }
    server = WhiteNoise(
        app.wsgi_app,
        max_age=60,
        immutable_file_test=lambda _path, url: bool(_HASHED.search(url)),
    )
    server.add_files(str(STATIC), prefix="static/")
    server.add_files(str(kept), prefix="static/")
    app.wsgi_app = server  # type: ignore[method-assign]

    def asset(name: str) -> str:
        try:
            return f"/static/{names[name]}"
        except KeyError as exc:
            raise NoSuchAsset(name) from exc

    app.extensions["assets"] = asset
    app.jinja_env.globals["asset"] = asset


def _copy(file: Path, kept: Path) -> str:
    content = file.read_bytes()
    digest = hashlib.sha256(content).hexdigest()[:10]
    relative = file.relative_to(STATIC)
    hashed = relative.with_name(f"{file.stem}.{digest}{file.suffix}")
    _write(kept / hashed, content)
    if file.suffix in _TEXT:
        _write(kept / f"{hashed}.gz", gzip.compress(content, mtime=0))
    return hashed.as_posix()


def _write(path: Path, content: bytes) -> None:
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{secrets.token_hex(4)}")
    fresh.write_bytes(content)
    os.replace(fresh, path)
