"""One decorator for everything that Numba compiles, and where the compiled code is kept.

Numba notices when the file of a cached function changes, but not when a function that it calls
changes in another file. So the cache has a folder of its own whose name is drawn from the text of
all files of this package: a new version never runs old code.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from numba import config, njit

HERE = Path(__file__).parent


def _digest() -> str:
    found = hashlib.sha256()
    for path in sorted(HERE.glob("*.py")):
        found.update(path.name.encode())
        found.update(path.read_bytes())
    return found.hexdigest()[:16]


def _roots() -> Iterator[Path]:
    """Yield the folders that may hold compiled code, best first."""
    asked = os.environ.get("NUMBA_CACHE_DIR")
    if asked:
        yield Path(asked)
    home = os.environ.get("XDG_CACHE_HOME")
    if home:
        yield Path(home)
    with contextlib.suppress(RuntimeError):  # a user without a home folder
        yield Path.home() / ".cache"
    user = os.getuid() if hasattr(os, "getuid") else "user"
    yield Path(tempfile.gettempdir()) / f"nuanju-{user}"


def _usable(folder: Path) -> bool:
    """Say whether *folder* is ours alone to write: what lies there will be executed."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
        owner = folder.stat().st_uid
    except OSError:
        return False
    return not hasattr(os, "getuid") or owner == os.getuid()


def _choose() -> Path | None:
    name = Path("nuanju-dispatch") / _digest()
    return next((root / name for root in _roots() if _usable(root / name)), None)


CACHE: Path | None = _choose()


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile *function*, which makes no arrays, without the Python lock held; keep the code on disk.

    Where no folder can be written the code is compiled anew in each process. Without Numba's run
    time no call counts the references of its arrays, which would take most of the search's time.
    """
    return _compile(function, arrays=False)


def compiled_with_arrays(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile *function* like `compiled`; it may make arrays, and counts their references."""
    return _compile(function, arrays=True)


def _compile(function: Callable[..., Any], *, arrays: bool) -> Callable[..., Any]:
    if CACHE is None:
        return njit(nogil=True, _nrt=arrays)(function)
    before = config.CACHE_DIR
    config.CACHE_DIR = str(CACHE)
    try:
        return njit(cache=True, nogil=True, _nrt=arrays)(function)
    finally:
        config.CACHE_DIR = before


def is_warm(function: Any) -> bool:
    """Say whether *function* is compiled already, in this process or on disk."""
    if function.signatures:
        return True
    if CACHE is None:
        return False
    name = function.py_func.__name__
    return any(CACHE.rglob(f"*{name}-*.nbi"))
