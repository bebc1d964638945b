"""What a city orders on a working day: eleven lines, their services and start windows.

Shares, windows and durations follow published counts where there are any and otherwise a proposal
(助洁 34 %, 助餐 22 %, 助聊 13 %, 助护 9 %, 助医 7 %, 助浴 5 %, 助购代办 4 %, 助行 2 %, 康复辅具 2 %,
助急 1 %, 适老改造维修 1 %). Services billed by day, month, shift or night, and projects, are never
stops of a route and are not drawn here, save a few site services.
"""

from __future__ import annotations

from dataclasses import dataclass

HOUR = 3600
SHARES = {
    "ZJ": 0.34, "ZC": 0.22, "ZL": 0.13, "HL": 0.09, "YL": 0.07, "ZY": 0.05,
    "DB": 0.04, "ZX": 0.02, "KF": 0.02, "JJ": 0.01, "SG": 0.01,
}  # fmt: skip
PRIORITIES = {"JJ": 9, "ZC": 5, "HL": 3, "YL": 3, "ZY": 2, "KF": 2}  # others 1


def clock(text: str) -> int:
    """Return the seconds since midnight of ``HH:MM``; hours past 24 go on counting."""
    hours, minutes = text.split(":")
    return int(hours) * HOUR + int(minutes) * 60


@dataclass(frozen=True, slots=True)
class Service:
    """What the day needs to know of a catalogue entry."""

    minutes: int
    skill: str
    crew: int = 1


SERVICES = {
    "ZJ001": Service(60, "GEN"), "ZJ003": Service(120, "GEN"), "ZJ004": Service(60, "GEN"),
    "ZJ007": Service(90, "APPL"), "ZJ008": Service(60, "GEN"), "ZJ010": Service(60, "APPL"),
    "ZJ012": Service(60, "GEN"), "ZJ013": Service(60, "GEN"), "ZJ014": Service(60, "GEN"),
    "ZJ017": Service(60, "GEN"), "ZJ018": Service(90, "GEN", 2), "ZJ019": Service(45, "GEN"),
    "ZJ022": Service(30, "BARBER"), "ZJ023": Service(20, "BARBER"), "ZJ024": Service(15, "BARBER"),
    "ZJ025": Service(20, "CARE5"), "ZJ026": Service(40, "PEDI"),
    "ZC001": Service(30, "MEAL"), "ZC002": Service(40, "MEAL"), "ZC003": Service(40, "MEAL"),
    "ZC005": Service(5, "MEAL"), "ZC006": Service(5, "MEAL"), "ZC007": Service(5, "MEAL"),
    "ZC008": Service(5, "MEAL"), "ZC009": Service(5, "MEAL"), "ZC010": Service(5, "MEAL"),
    "ZC011": Service(5, "MEAL"), "ZC012": Service(5, "MEAL"), "ZC017": Service(60, "COOK"),
    "ZL001": Service(60, "COMP"), "ZL002": Service(15, "CALL"), "ZL003": Service(3, "CALL"),
    "ZL004": Service(15, "CALL"), "ZL005": Service(20, "SW"), "ZL006": Service(20, "COMP"),
    "ZL007": Service(60, "COMP"), "ZL010": Service(40, "COMP"), "ZL012": Service(60, "PSY"),
    "ZL017": Service(60, "EDU"),
    "HL001": Service(60, "ASSESS", 2), "HL003": Service(60, "CARE5"), "HL004": Service(40, "CARE5"),
    "HL005": Service(40, "CARE5"), "HL009": Service(20, "CARE5"), "HL010": Service(20, "CARE5"),
    "HL012": Service(20, "CARE4"), "HL014": Service(20, "CARE5"), "HL015": Service(30, "CARE4"),
    "HL016": Service(10, "CARE4"), "HL022": Service(240, "CARE5"), "HL026": Service(60, "CARE3"),
    "HL029": Service(240, "CARE5"),
    "YL001": Service(240, "ESCORT"), "YL003": Service(15, "CALL"), "YL004": Service(90, "GEN"),
    "YL005": Service(60, "GEN"), "YL010": Service(10, "CARE5"), "YL011": Service(10, "CARE4"),
    "YL012": Service(10, "CARE5"), "YL013": Service(40, "CARE4"), "YL014": Service(30, "DOC"),
    "YL016": Service(5, "CALL"), "YL017": Service(30, "PHARM"), "YL019": Service(30, "NURSE"),
    "YL020": Service(40, "NURSE"), "YL021": Service(40, "NURSE"), "YL022": Service(40, "NURSE"),
    "YL024": Service(20, "NURSE"), "YL025": Service(20, "NURSE"),
    "ZY002": Service(45, "BATH"), "ZY003": Service(60, "BATH"), "ZY004": Service(50, "BATH"),
    "ZY005": Service(60, "BATH", 2), "ZY007": Service(60, "BATH"), "ZY008": Service(60, "BATH", 2),
    "ZY009": Service(60, "BATH", 2), "ZY010": Service(90, "BATH", 2),
    "ZY011": Service(60, "BATH", 2),
    "DB001": Service(45, "GEN"), "DB002": Service(45, "GEN"), "DB003": Service(40, "GEN"),
    "DB004": Service(30, "GEN"), "DB006": Service(15, "CALL"), "DB008": Service(15, "CALL"),
    "DB010": Service(15, "GEN"), "DB012": Service(20, "GEN"), "DB013": Service(90, "GEN"),
    "ZX001": Service(60, "CARE5"), "ZX002": Service(60, "CARE5"), "ZX003": Service(20, "CARE5"),
    "ZX006": Service(60, "DRIVER"), "ZX009": Service(90, "ESCORT"), "ZX010": Service(90, "ESCORT"),
    "ZX013": Service(40, "DRIVER"),
    "KF002": Service(45, "REHAB"), "KF003": Service(45, "REHAB"), "KF004": Service(45, "REHAB"),
    "KF005": Service(40, "REHAB"), "KF007": Service(45, "REHAB"), "KF008": Service(60, "REHAB"),
    "KF010": Service(30, "REHAB"),
    "JJ002": Service(30, "CARE5"), "JJ003": Service(30, "CARE4", 2), "JJ004": Service(120, "CARE5"),
    "JJ011": Service(45, "ELEC"), "JJ012": Service(60, "PLUMB"), "JJ014": Service(40, "GEN"),
    "JJ015": Service(60, "CARE5"),
    "SG002": Service(120, "FIT"), "SG003": Service(120, "FIT"), "SG005": Service(240, "FIT", 2),
    "SG007": Service(40, "TECH"), "SG009": Service(60, "FIT"), "SG010": Service(60, "FIT"),
    "SG011": Service(60, "FIT"), "SG018": Service(30, "ELEC"), "SG021": Service(30, "TECH"),
    "SG025": Service(40, "PLUMB"),
}  # fmt: skip


# Sold by the hour, so that two of them are one visit of twice the length.
HOURLY = frozenset({"ZJ001", "ZJ017", "HL003", "HL026"})


@dataclass(frozen=True, slots=True)
class Start:
    """A stretch of starts: the window is all of it, or ``width_s`` of it at a quarter hour."""

    weight: float
    opens: int
    closes: int
    width_s: int | None = None


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of order within a line.

    ``spread`` is "all" (sold from every base), or the number of orders that one hub lives on: such
    a service is sold only in the circle of a base that has people for it. ``double`` is the share
    of hourly services bought for two hours. ``recurring`` is the share that comes from a weekly or
    monthly plan.
    """

    line: str
    share: float
    profile: str
    services: dict[str, float]
    starts: tuple[Start, ...]
    recurring: float
    spread: str | int = "all"
    mode: str = "home"
    double: float = 0.0


def _start(weight: float, span: str, width_s: int | None = None) -> Start:
    opens, closes = span.split("-")
    return Start(weight, clock(opens), clock(closes), width_s)


HALF_DAYS = (
    _start(0.30, "08:00-17:00"),
    _start(0.26, "08:00-11:00"), _start(0.12, "08:00-11:00", 5400),
    _start(0.22, "13:30-17:00"), _start(0.10, "13:30-17:00", 5400),
)  # fmt: skip
OFFICE = (_start(1, "09:00-11:00", 3600), _start(1, "14:00-16:30", 3600))
CALLS = (_start(1, "08:30-11:00"), _start(1, "14:00-17:00"))
# Of the meals that are not cooked in the home, so many are brought; the others are eaten at a site.
BROUGHT = 78 / 93

KINDS = (
    Kind("ZJ", 0.85, "home", {
        "ZJ001": 62, "ZJ004": 8, "ZJ012": 8, "ZJ014": 6, "ZJ017": 4, "ZJ019": 5, "ZJ013": 2,
        "ZJ003": 3, "ZJ008": 2,
    }, HALF_DAYS, 0.58, double=0.1),
    Kind("ZJ", 0.01, "home", {"ZJ018": 1}, HALF_DAYS, 0.0, spread=8),
    Kind("ZJ", 0.05, "care", {"ZJ025": 1}, HALF_DAYS, 0.6),
    Kind("ZJ", 0.06, "barber", {"ZJ022": 8, "ZJ024": 1, "ZJ026": 1}, OFFICE, 0.5, spread=18),
    Kind("ZJ", 0.01, "fitter", {"ZJ007": 1, "ZJ010": 1}, OFFICE, 0.0, spread=6),
    Kind("ZJ", 0.02, "", {"ZJ023": 1}, OFFICE, 0.3, mode="site"),
    Kind("ZC", 0.72 * BROUGHT, "courier", {
        "ZC006": 60, "ZC008": 12, "ZC009": 13, "ZC010": 10, "ZC011": 2, "ZC012": 3,
    }, (_start(1, "10:40-11:50"),), 0.9, spread=13),
    Kind("ZC", 0.18 * BROUGHT, "courier", {"ZC007": 1}, (_start(1, "16:30-17:40"),), 0.9, 13),
    Kind("ZC", 0.03 * BROUGHT, "courier", {"ZC005": 1}, (_start(1, "06:40-07:40"),), 0.9, 13),
    Kind("ZC", 0.72 * (1 - BROUGHT), "", {"ZC002": 1}, (_start(1, "10:40-11:50"),), 0.7,
         mode="site"),
    Kind("ZC", 0.18 * (1 - BROUGHT), "", {"ZC003": 1}, (_start(1, "16:30-17:40"),), 0.7,
         mode="site"),
    Kind("ZC", 0.03 * (1 - BROUGHT), "", {"ZC001": 1}, (_start(1, "06:40-07:40"),), 0.7,
         mode="site"),
    Kind("ZC", 0.07, "cook", {"ZC017": 1}, (_start(1, "09:30-11:00", 3600),), 0.7, spread=10),
    Kind("ZL", 0.36, "home", {"ZL001": 35, "ZL006": 30, "ZL007": 10, "ZL010": 25},
         (_start(1, "08:30-11:00"), _start(1, "14:00-17:00"), _start(0.5, "14:00-17:00", 5400)),
         0.5),
    Kind("ZL", 0.09, "social", {"ZL005": 70, "ZL012": 10, "ZL017": 20}, OFFICE, 0.5, spread=18),
    Kind("ZL", 0.55, "", {"ZL002": 4, "ZL003": 5, "ZL004": 1}, CALLS, 0.8, mode="remote"),
    Kind("HL", 0.30, "early", {"HL004": 70, "HL009": 5, "HL016": 12, "HL012": 13},
         (_start(1, "06:30-09:00", 3600),), 0.95, spread=8),
    Kind("HL", 0.02, "escort", {"HL022": 1}, (_start(1, "07:30-08:30", 1800),), 0.9, spread=3),
    Kind("HL", 0.25, "care", {"HL003": 63, "HL014": 20, "HL010": 17},
         (_start(2, "09:00-11:00", 3600), _start(3, "13:30-16:00", 3600)), 0.9, double=0.2),
    Kind("HL", 0.13, "care", {"HL015": 40, "HL026": 30, "HL016": 30},
         (_start(2, "09:00-11:00", 3600), _start(3, "13:30-16:00", 3600)), 0.9, spread=3),
    Kind("HL", 0.02, "assess", {"HL001": 1}, OFFICE, 0.0, spread=4),
    Kind("HL", 0.03, "", {"HL029": 1}, (_start(1, "08:00-09:00"),), 0.9, mode="site"),
    Kind("HL", 0.25, "early", {"HL005": 70, "HL010": 15, "HL012": 15},
         (_start(1, "17:30-20:00", 3600),), 0.95, spread=8),
    Kind("YL", 0.17, "escort", {"YL001": 1}, (_start(1, "07:00-08:30", 1800),), 0.1, spread=3),
    Kind("YL", 0.31, "care", {"YL010": 65, "YL012": 35}, (_start(1, "08:30-11:00", 3600),), 0.9),
    Kind("YL", 0.12, "care", {"YL011": 1}, (_start(1, "08:30-11:00", 3600),), 0.9, spread=3),
    Kind("YL", 0.10, "home", {"YL004": 4, "YL005": 6}, (_start(1, "08:00-10:30"),), 0.3),
    Kind("YL", 0.12, "nurse", {"YL019": 4, "YL020": 2, "YL021": 2, "YL022": 1, "YL024": 2,
         "YL025": 1}, (_start(1, "09:00-11:30", 3600), _start(1, "13:00-16:00", 3600)), 0.5,
         spread=7),
    Kind("YL", 0.03, "doctor", {"YL014": 2, "YL017": 1}, OFFICE, 0.2, spread=4),
    Kind("YL", 0.03, "care", {"YL013": 1}, OFFICE, 0.0, spread=3),
    Kind("YL", 0.12, "", {"YL016": 8, "YL003": 2}, CALLS, 0.7, mode="remote"),
    Kind("ZY", 0.53, "bath", {"ZY008": 35, "ZY009": 35, "ZY010": 30},
         (_start(1.1, "09:30-11:00"), _start(1, "13:30-16:30"),
          _start(1, "13:30-16:30", 5400)), 0.7, spread=20),
    Kind("ZY", 0.05, "bath", {"ZY007": 1},
         (_start(1.1, "09:30-11:00"), _start(1, "13:30-16:30"),
          _start(1, "13:30-16:30", 5400)), 0.7, spread=20),
    Kind("ZY", 0.42, "", {"ZY002": 5, "ZY003": 2, "ZY004": 1, "ZY005": 1, "ZY011": 1},
         (_start(2, "09:30-11:00"), _start(3, "13:30-16:30")), 0.4, mode="site"),
    Kind("DB", 0.86, "home", {"DB001": 25, "DB002": 15, "DB003": 25, "DB004": 15, "DB010": 8,
         "DB012": 7, "DB013": 5}, (_start(0.7, "08:00-10:30"), _start(0.3, "08:00-10:30", 5400)),
         0.4),
    Kind("DB", 0.14, "", {"DB006": 1, "DB008": 1}, CALLS, 0.2, mode="remote"),
    Kind("ZX", 0.70, "care", {"ZX001": 55, "ZX002": 30, "ZX003": 15},
         (_start(1, "08:00-10:00", 3600), _start(1, "14:30-16:30", 3600)), 0.5),
    Kind("ZX", 0.15, "escort", {"ZX009": 1, "ZX010": 1}, (_start(1, "13:30-14:30", 1800),), 0.1,
         spread=3),
    Kind("ZX", 0.15, "driver", {"ZX006": 2, "ZX013": 1}, OFFICE, 0.3, spread=5),
    Kind("KF", 0.88, "rehab", {"KF002": 25, "KF003": 25, "KF004": 20, "KF005": 10, "KF007": 20},
         (_start(1, "09:00-11:00", 5400), _start(1, "14:00-16:30", 5400)), 0.8, spread=15),
    Kind("KF", 0.06, "", {"KF008": 1}, OFFICE, 0.6, mode="site"),
    Kind("KF", 0.06, "", {"KF010": 1}, OFFICE, 0.6, mode="remote"),
    Kind("JJ", 0.55, "care", {"JJ002": 55, "JJ014": 15, "JJ015": 22, "JJ004": 8},
         (_start(1, "08:00-10:30", 900), _start(1, "13:45-16:30", 900)), 0.0),
    Kind("JJ", 0.05, "care", {"JJ003": 1}, (_start(1, "08:00-10:30", 900),), 0.0, spread=4),
    Kind("JJ", 0.15, "fitter", {"JJ011": 1, "JJ012": 2}, (_start(1, "09:00-16:00", 1800),), 0.0,
         spread=6),
    Kind("JJ", 0.25, "night", {"JJ002": 8, "JJ004": 2}, (_start(1, "22:00-30:00", 1200),), 0.0,
         spread=2),
    Kind("SG", 0.90, "fitter", {"SG002": 20, "SG003": 15, "SG009": 15, "SG010": 12, "SG011": 12,
         "SG007": 8, "SG018": 6, "SG021": 6, "SG025": 6},
         (_start(1, "08:30-16:00", 4 * HOUR),), 0.0, spread=6),
    Kind("SG", 0.10, "fitter", {"SG005": 1}, (_start(1, "08:30-12:00"),), 0.0, spread=6),
)  # fmt: skip


def apportion(total: int, weights: list[float]) -> list[int]:
    """Return whole parts of ``total`` in proportion to ``weights`` (largest remainders)."""
    whole = sum(weights)
    exact = [total * w / whole for w in weights]
    parts = [int(e) for e in exact]
    by_rest = sorted(range(len(weights)), key=lambda i: (parts[i] - exact[i], i))
    for i in by_rest[: total - sum(parts)]:
        parts[i] += 1
    return parts


def orders_by_kind(orders: int) -> list[tuple[Kind, int]]:
    """Return how many orders of each kind a day of ``orders`` holds; the counts add up."""
    lines = dict(zip(SHARES, apportion(orders, list(SHARES.values())), strict=True))
    counted: list[tuple[Kind, int]] = []
    for line, count in lines.items():
        kinds = [kind for kind in KINDS if kind.line == line]
        counted += zip(kinds, apportion(count, [k.share for k in kinds]), strict=True)
    return counted
