"""Names, numbers and lives of a city that does not exist: valid in form, nobody's in fact.

Identity numbers have correct dates, sexes and check digits; telephone numbers begin with 1410, which
is given to machines only. Everything comes from one seeded generator, so that one seed is one city.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from stdnum.cn import ric, uscc

SURNAMES = (
    "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕苏卢蒋蔡贾丁"
    "魏薛叶阎余潘杜戴夏钟汪田任姜范方石姚谭廖邹熊金陆郝孔白崔康毛邱秦江史顾侯邵孟龙万段钱汤尹黎易"
)
WOMEN = "兰英秀珍芳华玉梅凤莲香桂琴云霞红娣萍翠菊素美金巧银淑惠春月爱宝彩娟网扣粉年林珠慧仙桃杏"
MEN = "国建明华德福荣生龙宝庆林宏根富贵祥山海军平元成连长春永发金学文正东来广道兴存仁义扣网年喜"
STREETS = (
    "青年路", "鼓楼路", "迎春路", "济川路", "人民路", "东风路", "育才路", "文昌路", "新区路", "永安路",
    "府前路", "通扬路", "城河路", "江平路", "同泰路", "朝阳路", "曙光路", "幸福路", "振兴路", "银杏路",
)  # fmt: skip
BRANDS = (
    "安康", "颐和", "福寿", "暖阳", "康乐", "松龄", "怡年", "乐龄", "仁和", "长青", "孝亲", "同德", "永乐",
    "祥瑞", "金晖", "晚晴", "舒心", "爱邻", "和顺", "益寿", "百福", "众安", "惠民", "吉祥", "常乐", "春晖",
    "银发", "德安", "尚善", "佳宁",
)  # fmt: skip
RELATIONS = ("女儿", "儿子", "儿媳", "女婿", "孙女", "孙子", "侄女", "外甥")


def id_number(district: str, born_on: date, sequence: int, *, woman: bool) -> str:
    """Return an identity number; ``sequence`` 0 to 499 tells apart who shares place, day and sex."""
    order = 2 * sequence + (0 if woman else 1)
    body = f"{district}{born_on:%Y%m%d}{order:03d}"
    return body + ric.calc_check_digit(body + "0")


def credit_code(district: str, number: int) -> str:
    """Return a credit code (统一社会信用代码) of a civil non-enterprise unit, valid in form."""
    body = f"52{district}{number:09d}"
    return body + uscc.calc_check_digit(body + "0")


def phone(number: int) -> str:
    """Return a mobile number from a range that no person has."""
    return f"1410{number % 10_000_000:07d}"


@dataclass(frozen=True, slots=True)
class Lives:
    """Columns of people drawn together; every array has one entry a person."""

    name: list[str]
    woman: np.ndarray
    age_days: np.ndarray
    income: np.ndarray
    alone: np.ndarray
    local: np.ndarray
    level: np.ndarray  # 0 to 4; -1: never assessed
    score: np.ndarray
    special: list[str]


INCOMES = ("tekun", "dibao", "dibao_edge", "low", "ordinary")
# Ages of the registered 60+; of those who are served; five-year steps from 60.
AGES_ALL = np.array([0.28, 0.24, 0.20, 0.13, 0.09, 0.045, 0.015])
AGES_SERVED = np.array([0.07, 0.11, 0.15, 0.17, 0.25, 0.17, 0.08])
LOWEST_SCORE = np.array([90, 66, 46, 30, 0])
HIGHEST_SCORE = np.array([90, 89, 65, 45, 29])


def names(rng: np.random.Generator, woman: np.ndarray) -> list[str]:
    """Return a full name for each: two characters for one in five, else three."""
    count = len(woman)
    weights = 1.0 / (np.arange(len(SURNAMES)) + 6.0)
    family = rng.choice(len(SURNAMES), count, p=weights / weights.sum())
    first, second = rng.random(count), rng.random(count)
    short = rng.random(count) < 0.2
    made = []
    for f, w, a, b, s in zip(family, woman, first, second, short, strict=True):
        pool = WOMEN if w else MEN
        given = pool[int(a * len(pool))] + ("" if s else pool[int(b * len(pool))])
        made.append(SURNAMES[f] + given)
    return made


def draw_lives(
    rng: np.random.Generator, count: int, *, served: bool, level: np.ndarray | None = None
) -> Lives:
    """Return the lives of ``count`` elders. ``level`` fixes ability levels where it is 0 or more."""
    ages = AGES_SERVED if served else AGES_ALL
    step = rng.choice(len(ages), count, p=ages / ages.sum())
    years = 60 + 5 * step + rng.integers(0, 5, count)
    woman = rng.random(count) < 0.5 + 0.012 * (years - 60) / 5
    hard = np.array([0.03, 0.09, 0.04, 0.05] if served else [0.021, 0.031, 0.012, 0.02])
    income = rng.choice(5, count, p=[*hard, 1 - hard.sum()])
    own = np.where(rng.random(count) < (0.45 if served else 0.08), _levels(rng, count), -1)
    if level is not None:
        own = np.where(level >= 0, level, own)
    score = np.where(
        own >= 0,
        rng.integers(LOWEST_SCORE[own.clip(0)], HIGHEST_SCORE[own.clip(0)] + 1),
        -1,
    )
    special = []
    for kind, draw, ability in zip(income, rng.random(count), own, strict=True):
        tags = ["tekun_agreement"] if kind == 0 else []
        if draw < 0.006:
            tags.append("tefu")
        elif draw < 0.016:
            tags.append("youfu")
        elif draw < 0.03 and ability >= 2:
            tags.append("severe_disability")
        elif draw < 0.045 and ability >= 3:
            tags.append("ltci")
        special.append(";".join(tags))
    return Lives(
        names(rng, woman), woman, years * 365.2425 + rng.integers(1, 365, count), income,
        rng.random(count) < (0.34 if served else 0.14), rng.random(count) < 0.975, own, score,
        special,
    )  # fmt: skip


def _levels(rng: np.random.Generator, count: int) -> np.ndarray:
    return rng.choice(5, count, p=[0.42, 0.27, 0.16, 0.09, 0.06])


def born_on(day: date, age_days: float) -> date:
    """Return the birth date of somebody so many days old."""
    return day - timedelta(days=int(age_days))
