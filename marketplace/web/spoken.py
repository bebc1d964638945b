"""Chinese as it is spoken on the telephone: times, sums, how to address a caller."""

from __future__ import annotations

from datetime import date

from marketplace.queries.elder_home import ElderView
from marketplace.web.formats import today_here

_DIGITS = "零一二三四五六七八九"
_WEEKDAYS = "一二三四五六日"


def number(n: int) -> str:
    """Return 0 to 9,999 in Chinese: 12 -> 十二, 105 -> 一百零五, 2 -> 两 only before a unit of its own."""
    if n < 10:
        return _DIGITS[n]
    parts, zero = "", False
    for size, unit in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit = n // size % 10
        if digit:
            parts += ("零" if zero and parts else "") + _DIGITS[digit] + unit
            zero = False
        else:
            zero = bool(parts)
    return parts.removeprefix("一") if parts.startswith("一十") else parts


def yuan(fen: int) -> str:
    """Return a sum as it is said: 1500 -> 十五块, 1550 -> 十五块五, 1505 -> 十五块零五分, 200 -> 两块."""
    whole, rest = divmod(abs(fen), 100)
    said = ("两" if whole == 2 else number(whole) if whole < 10_000 else str(whole)) + "块"
    if rest and rest % 10 == 0:
        return said + _DIGITS[rest // 10]
    if rest:
        return f"{said}零{_DIGITS[rest]}分" if rest < 10 else f"{said}{number(rest)}分"
    return said


def time_of_day(second: int) -> str:
    """Return a time as it is said: 41400 -> 中午十一点半, 30600 -> 早上八点半."""
    hour, minute = second // 3600 % 24, second % 3600 // 60
    part = (
        "夜里"
        if hour < 5
        else "早上"
        if hour < 9
        else "上午"
        if hour < 11
        else "中午"
        if hour < 13
        else "下午"
        if hour < 18
        else "晚上"
    )
    shown = hour if hour <= 12 else hour - 12
    said = "两点" if shown == 2 else f"{number(shown)}点"
    if minute == 30:
        return f"{part}{said}半"
    return f"{part}{said}" + (f"{number(minute)}分" if minute else "")


def when(on: date, second: int) -> str:
    """Return a day and time as they are said: 明天中午十一点半, 星期四下午两点."""
    apart = (on - today_here()).days
    day = {0: "今天", 1: "明天", 2: "后天"}.get(apart)
    if day is None:
        day = f"星期{_WEEKDAYS[on.weekday()]}" if apart < 7 else f"{on.month}月{on.day}号"
    return day + time_of_day(second)


def honorific(elder: ElderView) -> str:
    """Return how a caller is addressed: 张奶奶, 李爷爷; 老人家 where the register does not say yet."""
    word = {"F": "奶奶", "M": "爷爷"}.get(elder.gender.upper(), "老人家")
    return elder.name[:1] + word if word != "老人家" else word
