"""A small folder as a bureau would send it, and the pieces to spoil it with."""

from __future__ import annotations

import csv
from pathlib import Path

from stdnum.cn import ric


def id_number(area: str, born: str, serial: int) -> str:
    """Return a well-formed identity number: even serial for a woman, odd for a man."""
    body = f"{area}{born}{serial:03d}"
    return body + ric.calc_check_digit(body + "0")


ELDER = {
    "id": "E1",
    "name": "张桂兰",
    "gender": "F",
    "born_on": "1946-03-04",
    "id_number": id_number("321202", "19460304", 2),
    "phone": "13812342210",
    "address": "海陵区城东街道东风居委会1号",
    "lat": "32.5",
    "lng": "119.93",
    "hukou_local": "Y",
    "income_class": "dibao",
    "lives_alone": "Y",
    "special": "tefu",
    "door_notes": "",
    "status": "active",
    "assessed_on": "2026-03-01",
    "score": "50",
    "level": "2",
}

FOLDER: dict[str, list[dict[str, str]]] = {
    "vendors": [
        {
            "id": "V1",
            "name": "金康养老",
            "uscc": "91110000600037341L",
            "size": "large",
            "phone": "0523-86234567",
            "status": "active",
            "district_codes": "321202",
            "category_codes": "ZC;ZJ",
            "open_share": "0.5",
            "daily_capacity": "200",
        }
    ],
    "licences": [
        {
            "vendor_id": "V1",
            "kind": "食品经营许可证",
            "number": "JY13212020000001",
            "valid_from": "2024-01-01",
            "valid_until": "2028-12-31",
        }
    ],
    "sites": [
        {
            "id": "S1",
            "kind": "centre",
            "name": "东风居家养老服务中心",
            "vendor_id": "V1",
            "address": "海陵区城东街道东风居委会",
            "lat": "32.501",
            "lng": "119.931",
            "meals_ready": "10:30",
        }
    ],
    "caregivers": [
        {
            "id": "C1",
            "vendor_id": "V1",
            "name": "李秀英",
            "gender": "F",
            "phone": "13912340001",
            "base_site_id": "S1",
            "max_work_h": "8",
            "rest_from": "11:00",
            "rest_to": "13:30",
            "rest_min": "30",
            "meal_capacity": "",
            "status": "active",
        }
    ],
    "certificates": [
        {
            "caregiver_id": "C1",
            "skill_code": "GEN",
            "number": "G-1",
            "valid_from": "2025-01-01",
            "valid_until": "2027-12-31",
        }
    ],
    "shifts": [
        {"caregiver_id": "C1", "works_on": "2026-11-23", "starts": "07:30", "ends": "11:30"},
        {"caregiver_id": "C1", "works_on": "2026-11-23", "starts": "13:30", "ends": "17:30"},
    ],
    "elders": [
        ELDER,
        {
            **ELDER,
            "id": "E2",
            "name": "王德明",
            "gender": "M",
            "id_number": id_number("321202", "19460304", 5),
            "phone": "",
            "lat": "",
            "lng": "",
            "special": "",
            "income_class": "ordinary",
            "assessed_on": "",
            "score": "",
            "level": "",
        },
    ],
    "families": [
        {
            "elder_id": "E1",
            "name": "张小明",
            "relation": "儿子",
            "phone": "13712340002",
            "powers": "order;see_visits",
        }
    ],
    "refusals": [{"elder_id": "E1", "caregiver_id": "C1", "reason": "说话太快"}],
    "orders": [
        {
            "id": "P1",
            "elder_id": "E1",
            "service_code": "ZJ001",
            "starts_on": "2026-11-23",
            "ends_on": "",
            "rrule": "FREQ=WEEKLY;BYDAY=MO,TH",
            "skip_holidays": "N",
            "window_start": "09:00",
            "window_end": "11:00",
            "vendor_id": "V1",
            "caregiver_id": "",
            "site_id": "",
            "quantity": "1",
            "note": "",
        }
    ],
}


def write(folder: Path, files: dict[str, list[dict[str, str]]], encoding: str = "utf-8") -> Path:
    """Write the files as CSV into the folder and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in files.items():
        with (folder / f"{name}.csv").open("w", encoding=encoding, newline="") as f:
            out = csv.DictWriter(f, list(rows[0] if rows else FOLDER[name][0]), lineterminator="\n")
            out.writeheader()
            out.writerows(rows)
    return folder
