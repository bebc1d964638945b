"""Money is an ``int`` of fen. There is no other type, and no float ever touches it."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

# Above any lawful price or budget, below BIGINT: 9 x 10^13 yuan.
MOST_FEN = 9_000_000_000_000_000


def fen_from_yuan(text: str) -> int:
    """Return the fen of a decimal yuan text such as ``35.05``; ``ValueError`` if it is not whole fen."""
    try:
        fen = Decimal(text.strip()) * 100
    except InvalidOperation as exc:
        raise ValueError(text) from exc
    if not fen.is_finite() or fen != fen.to_integral_value() or abs(fen) > MOST_FEN:
        raise ValueError(text)
    return int(fen)


def yuan_from_fen(fen: int) -> str:
    """Return fen as plain yuan with two decimals, for files: ``3505`` -> ``35.05``."""
    sign = "-" if fen < 0 else ""
    return f"{sign}{abs(fen) // 100}.{abs(fen) % 100:02d}"
