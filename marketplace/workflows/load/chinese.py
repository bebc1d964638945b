"""The Chinese headings and values that files may use in place of the columns' own names and codes.

A bureau's files come in its own words; both are read, also mixed in one file. The database and the
exporter keep the codes, so that the same row in either language is the same row.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

HEADINGS: Mapping[str, str] = {
    "编号": "id",
    "姓名": "name",
    "名称": "name",
    "统一社会信用代码": "uscc",
    "规模": "size",
    "电话": "phone",
    "联系电话": "phone",
    "状态": "status",
    "区县代码": "district_codes",
    "服务类别": "category_codes",
    "公示份额": "open_share",
    "日接单上限": "daily_capacity",
    "服务商编号": "vendor_id",
    "类型": "kind",
    "证照类型": "kind",
    "证号": "number",
    "生效日期": "valid_from",
    "失效日期": "valid_until",
    "地址": "address",
    "纬度": "lat",
    "经度": "lng",
    "出餐时间": "meals_ready",
    "性别": "gender",
    "驻点编号": "base_site_id",
    "日最长工时": "max_work_h",
    "休息开始": "rest_from",
    "休息结束": "rest_to",
    "休息分钟": "rest_min",
    "餐箱容量": "meal_capacity",
    "护理员编号": "caregiver_id",
    "技能代码": "skill_code",
    "日期": "works_on",
    "上班": "starts",
    "下班": "ends",
    "出生日期": "born_on",
    "身份证号": "id_number",
    "公民身份号码": "id_number",
    "本地户籍": "hukou_local",
    "收入类别": "income_class",
    "独居": "lives_alone",
    "特殊类别": "special",
    "上门提示": "door_notes",
    "评估日期": "assessed_on",
    "评估分": "score",
    "能力等级": "level",
    "老人编号": "elder_id",
    "关系": "relation",
    "授权": "powers",
    "服务代码": "service_code",
    "开始日期": "starts_on",
    "结束日期": "ends_on",
    "重复规则": "rrule",
    "跳过节假日": "skip_holidays",
    "时段开始": "window_start",
    "时段结束": "window_end",
    "地点编号": "site_id",
    "数量": "quantity",
    "备注": "note",
    "原因": "reason",
    "起始日期": "since_on",
    "死亡日期": "died_on",
    "通知书编号": "notice_no",
    "机构名称": "place",
    "入住日期": "admitted_on",
    "离开日期": "discharged_on",
    "在享": "active",
}
"""Chinese heading -> column. A column may have several headings, a heading one column."""

_YES_NO = {"是": "Y", "否": "N"}

VALUES: Mapping[str, Mapping[str, str]] = {
    "gender": {"女": "F", "男": "M"},
    "size": {"大": "large", "中": "middle", "小": "small"},
    "status": {
        "正常": "active",
        "在册": "active",
        "在岗": "active",
        "暂停": "suspended",
        "退出": "left",
        "离职": "left",
        "外出": "away",
        "迁出": "moved",
        "去世": "dead",
    },
    "kind": {
        "居家养老服务中心": "centre",
        "助餐点": "meal",
        "助浴点": "bath",
        "日间照料中心": "day_care",
        "医院": "hospital",
        "机构": "institution",
    },
    "hukou_local": _YES_NO,
    "lives_alone": _YES_NO,
    "skip_holidays": _YES_NO,
    "active": _YES_NO,
    "income_class": {
        "特困": "tekun",
        "特困分散供养": "tekun",
        "低保": "dibao",
        "低保边缘": "dibao_edge",
        "低收入": "low",
        "普通": "ordinary",
    },
    "special": {
        "计生特扶": "tefu",
        "重点优抚": "youfu",
        "重残": "severe_disability",
        "集中照护": "jizhong",
        "提升行动": "tisheng",
        "长护险": "ltci",
        "特困照料协议": "tekun_agreement",
        "家庭养老床位": "bed",
    },
    "powers": {"下单": "order", "看上门": "see_visits", "看账": "see_money", "取消": "cancel"},
    "level": {
        "能力完好": "0",
        "轻度失能": "1",
        "中度失能": "2",
        "重度失能": "3",
        "完全失能": "4",
    },
    "category_codes": {
        "助餐": "ZC",
        "助浴": "ZY",
        "助洁": "ZJ",
        "助医": "YL",
        "助行": "ZX",
        "助急": "JJ",
        "助聊": "ZL",
        "助购代办": "DB",
        "助护": "HL",
        "康复辅具": "KF",
        "适老改造维修": "SG",
    },
}
"""Column -> Chinese value -> code. What is not listed is read as it stands."""

LISTS = frozenset({"special", "powers", "category_codes", "district_codes"})
"""Columns whose cells are lists."""


def column_of(heading: str) -> str:
    """Return the column that a heading names, in either language; an unknown heading as it stands."""
    return HEADINGS.get(heading, heading)


def value_of(column: str, cell: str) -> str:
    """Return a cell with its Chinese values as codes; lists may be joined by ； or 、 as well."""
    if not cell or cell.isascii():
        return cell
    words = VALUES.get(column, {})
    if column not in LISTS:
        return words.get(cell, cell)
    return ";".join(words.get(part.strip(), part.strip()) for part in re.split("[;；、]", cell))
