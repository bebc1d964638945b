"""An evidence pack: one ZIP that proves a statement and a sample of its visits without our code."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

VERIFIER = Path(__file__).with_name("pack_verify.py")
"""The script that checks a pack; it needs Python alone and goes into every pack as ``verify.py``."""

_WHEN = (1980, 1, 1, 0, 0, 0)


def write(
    path: Path,
    *,
    statement: Mapping[str, Any],
    sample: Sequence[Mapping[str, Any]],
    seals: Sequence[Mapping[str, Any]],
    batches: Iterable[tuple[str, Iterable[bytes]]],
    sheet: bytes,
) -> str:
    """Write a pack and return its hash; the same content gives the same bytes.

    ``batches`` are file names with the hashed lines of their sealed batch, written as they come.
    """
    hashes: dict[str, str] = {}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        _add(archive, hashes, "statement.json", [_json(statement)])
        _add(archive, hashes, "statement.csv", [sheet])
        _add(archive, hashes, "sample.json", [_json(list(sample))])
        _add(archive, hashes, "seals.json", [_json(list(seals))])
        for name, lines in batches:
            _add(archive, hashes, name, lines)
        _add(archive, hashes, "verify.py", [VERIFIER.read_bytes()])
        _add(archive, {}, "manifest.json", [_json({"files": hashes})])
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _json(content: Any) -> bytes:
    return json.dumps(content, ensure_ascii=False, sort_keys=True, indent=1).encode() + b"\n"


def _add(
    archive: zipfile.ZipFile, hashes: dict[str, str], name: str, parts: Iterable[bytes]
) -> None:
    member = zipfile.ZipInfo(name, date_time=_WHEN)
    member.compress_type = zipfile.ZIP_DEFLATED
    digest = hashlib.sha256()
    with archive.open(member, "w", force_zip64=True) as out:
        for part in parts:
            digest.update(part)
            out.write(part)
    hashes[name] = digest.hexdigest()
