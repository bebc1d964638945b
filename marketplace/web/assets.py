"""Static files under names that carry their hash, compressed once at the start, served by WhiteNoise."""

from __future__ import annotations

import gzip
import hashlib
import os
import re
import secrets
from functools import cache
from pathlib import Path, PurePosixPath

import brotli
from apiflask import APIFlask
from whitenoise import WhiteNoise

STATIC = Path(__file__).resolve().parents[2] / "static"
_HASHED = re.compile(r"\.[0-9a-f]{10}\.[a-z0-9]+$")
_TEXT = {".css", ".js", ".svg", ".json", ".geojson", ".webmanifest"}
_JOINED = {"css/nuanju.css": ("css/tokens.css", "css/components.css", "css/app.css")}
"""Files that every page needs before it can paint travel as one: on a phone each further file costs
a connection of its own."""


class NoSuchAsset(LookupError):
    """A template names a static file that is not there: a fault of ours."""


def register(app: APIFlask, instance: Path) -> None:
    """Serve the static folder below ``/static/`` and give templates ``asset('css/app.css')``.

    The hashed copies stand in the instance folder; a file that is there already is left alone, so
    that several processes may start at once.
    """
    kept = instance / "static"
    files = {
        file.relative_to(STATIC).as_posix(): file.read_bytes()
        for file in sorted(STATIC.rglob("*"))
        if file.is_file() and not file.name.startswith(".")
    }
    for joined, parts in _JOINED.items():
        files[joined] = b"\n".join(files[part] for part in parts)
    names = {name: _keep(name, content, kept) for name, content in files.items()}
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


def _keep(name: str, content: bytes, kept: Path) -> str:
    digest = hashlib.sha256(content).hexdigest()[:10]
    plain = PurePosixPath(name)
    hashed = plain.with_name(f"{plain.stem}.{digest}{plain.suffix}")
    _write(kept / hashed, content)
    if plain.suffix in _TEXT:
        for ending, squeeze in ((".gz", _gzip), (".br", _brotli)):
            smaller = kept / f"{hashed}{ending}"
            if not smaller.exists():
                _write(smaller, squeeze(content))
    return hashed.as_posix()


@cache
def _gzip(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)


@cache
def _brotli(content: bytes) -> bytes:
    return brotli.compress(content, mode=brotli.MODE_TEXT)


def _write(path: Path, content: bytes) -> None:
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{secrets.token_hex(4)}")
    fresh.write_bytes(content)
    os.replace(fresh, path)
