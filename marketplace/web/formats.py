"""Times, money and names as the screens say them, in the reader's language."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from apiflask import APIFlask
from babel.dates import format_date
from babel.numbers import format_decimal
from flask_babel import get_locale, ngettext
from flask_babel import gettext as _

from marketplace.kernel.clock import local, today
from marketplace.kernel.crypto import mask_name, mask_phone
from marketplace.kernel.money import yuan_from_fen
from marketplace.web.at_hand import ports


def now() -> datetime:
    """Return the present instant of the application's clock."""
    return ports().clock.now()


def today_here() -> date:
    """Return today's date in Asia/Shanghai by the application's clock."""
    return today(ports().clock)


def is_chinese() -> bool:
    """Return whether this request is answered in Chinese."""
    return str(get_locale()).startswith("zh")


def pick(zh: str, en: str) -> str:
    """Return the one of two stored names (catalogue, categories) that this request wants."""
    return zh if is_chinese() else en


def day(value: date) -> str:
    """今天, 明天, 昨天, 星期四 within six days, else 11月30日; the year only if it is not this one."""
    here = today_here()
    apart = (value - here).days
    if apart == 0:
        return _("today")
    if apart == 1:
        return _("tomorrow")
    if apart == -1:
        return _("yesterday")
    if 1 < apart <= 6:
        return format_date(value, "EEEE", locale=get_locale())
    return date_plain(value)


def date_plain(value: date) -> str:
    """11月30日 / 30 Nov, with the year only if it is not this one."""
    short, long = ("M月d日", "y年M月d日") if is_chinese() else ("d MMM", "d MMM y")
    pattern = short if value.year == today_here().year else long
    return format_date(value, pattern, locale=get_locale())


def date_long(value: date) -> str:
    """11月23日 星期一 / Monday 23 November."""
    pattern = "M月d日 EEEE" if is_chinese() else "EEEE d MMMM"
    return format_date(value, pattern, locale=get_locale())


def month_word(first: date) -> str:
    """10 月 / October, with the year only if it is not this one."""
    short, long = ("M月", "y年M月") if is_chinese() else ("MMMM", "MMMM y")
    pattern = short if first.year == today_here().year else long
    return format_date(first, pattern, locale=get_locale())


def span_word(text: str) -> str:
    """The month, day or year that a code names: ``2026-10`` -> 10月 / October; else as it stands."""
    try:
        if len(text) == len("2026-10"):
            return month_word(date.fromisoformat(f"{text}-01"))
        return date_plain(date.fromisoformat(text)) if "-" in text else text
    except ValueError:
        return text


def clock(second: int) -> str:
    """Seconds from local midnight as 24-hour time: ``34200`` -> ``9:30``."""
    return f"{second // 3600 % 24}:{second % 3600 // 60:02d}"


def clock_of(instant: datetime) -> str:
    """Local 24-hour time of an instant."""
    at = local(instant)
    return f"{at.hour}:{at.minute:02d}"


def clock_input(instant: datetime) -> str:
    """Local time as a time field takes it: ``09:30``."""
    return local(instant).strftime("%H:%M")


def when(instant: datetime) -> str:
    """今天 9:30."""
    return _("%(day)s %(time)s", day=day(local(instant).date()), time=clock_of(instant))


def when_s(on: date, second: int) -> str:
    """The same of a date and a second of its day."""
    return _("%(day)s %(time)s", day=day(on + timedelta(days=second // 86400)), time=clock(second))


def stamp(instant: datetime) -> str:
    """Tables: ``10-14 11:41``."""
    return local(instant).strftime("%m-%d %H:%M")


def when_word(on: date) -> str:
    """今天有人来，明天有人来 ...: the head of an elder's next visit."""
    words = _("%(day)s: ", day=day(on))
    return words[:1].upper() + words[1:]


def minutes(count: int) -> str:
    """48 分钟, or hours and minutes from two hours on."""
    if count < 120:
        return ngettext("%(num)s minute", "%(num)s minutes", count)
    if count % 60 == 0:
        return ngettext("%(num)s hour", "%(num)s hours", count // 60)
    return _("%(hours)s h %(minutes)s min", hours=count // 60, minutes=count % 60)


def left(instant: datetime) -> str:
    """还有 48 分钟, 超 26 分钟."""
    seconds = int((instant - now()).total_seconds())
    if seconds < 0:
        return _("%(span)s over", span=minutes(-seconds // 60))
    if seconds > 36 * 3600:
        return _("%(num)s days left", num=seconds // 86400)
    return _("%(span)s left", span=minutes(seconds // 60))


def ago(instant: datetime) -> str:
    """3 分钟前."""
    seconds = int((now() - instant).total_seconds())
    if seconds < 60:
        return _("just now")
    if seconds < 7200:
        return _("%(span)s ago", span=minutes(seconds // 60))
    return when(instant)


def yuan(fen: int) -> str:
    """Money as elders read it: ``90 元``, with fen only where there are any."""
    amount = yuan_from_fen(fen) if fen % 100 else str(fen // 100)
    return _("%(amount)s yuan", amount=amount)


def cny(fen: int) -> str:
    """Money as staff read it: ``¥1,286.00``."""
    sign = "-" if fen < 0 else ""
    whole = format_decimal(abs(fen) // 100, "#,##0", locale="en")
    return f"{sign}¥{whole}.{abs(fen) % 100:02d}"


def big_cny(fen: int) -> str:
    """Large sums in headings: ``¥186.4 万``, from a hundred million on ``¥6.00 亿`` / ``¥1.86 m``."""
    if abs(fen) < 10_000_00:
        return cny(fen)
    if is_chinese():
        if abs(fen) >= 10_000_000_000:
            return f"¥{fen / 10_000_000_000:,.2f} 亿"
        return f"¥{fen / 1_000_000:,.1f} 万"
    return f"¥{fen / 100_000_000:,.2f} m"


def count(number: int) -> str:
    """Thousands with commas."""
    return f"{number:,}"


def share(part: float, digits: int = 1) -> str:
    """A share of 0 to 1 in per cent, one decimal: ``96.2``."""
    return f"{part * 100:.{digits}f}"


FILTERS = {
    "day": day,
    "date_plain": date_plain,
    "date_long": date_long,
    "month_word": month_word,
    "span_word": span_word,
    "clock": clock,
    "clock_of": clock_of,
    "clock_input": clock_input,
    "when": when,
    "stamp": stamp,
    "minutes": minutes,
    "left": left,
    "ago": ago,
    "yuan": yuan,
    "cny": cny,
    "big_cny": big_cny,
    "count_": count,
    "share": share,
    "mask_name": mask_name,
    "mask_phone": mask_phone,
}


def register(app: APIFlask) -> None:
    """Give the templates these words."""
    app.jinja_env.filters.update(FILTERS)
    app.jinja_env.globals.update(
        pick=pick, now=now, today=today_here, when_s=when_s, when_word=when_word
    )
