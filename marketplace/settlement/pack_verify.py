#!/usr/bin/env python3
"""Check an evidence pack with nothing but Python: run ``python3 verify.py`` beside its files.

Every hash is computed again from the content: of each file, of the statement, of the closing, of each
sealed batch of the ledger and of the chain of seals. Then each sampled visit is held against its order,
its evidence, its ledger entries and its line. The first difference is named and the exit code is 1.

The last line printed is the head of the chain. Compare it with the one that the bureau published, or
with another pack's: equal heads mean that no entry before them was changed since.
"""

from __future__ import annotations

import csv
import hashlib
import json
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
UNIT = "\x1f"


SUMS = ("total_fen", "payable_fen", "outside_fen", "own_fen", "holdback_fen")


class Wrong(Exception):
    """Something in the pack is not what it says."""


def demand(is_so: bool, what: str) -> None:
    """Raise ``Wrong`` unless it is so."""
    if not is_so:
        raise Wrong(what)


def sha256(content: bytes) -> str:
    """Return the hash of bytes as 64 hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def read(name: str):
    """Return a JSON file of the pack."""
    return json.loads((HERE / name).read_text(encoding="utf-8"))


def check_files() -> int:
    """Hold every file against the manifest."""
    manifest = read("manifest.json")
    for name, wanted in sorted(manifest["files"].items()):
        path = HERE / name
        demand(path.is_file(), f"{name}: the file is missing")
        demand(sha256(path.read_bytes()) == wanted, f"{name}: its content changed")
    return len(manifest["files"])


def check_statement(statement: dict) -> None:
    """Compute the statement's hash and sums again, and find it in its closing."""
    digest = hashlib.sha256(UNIT.join(map(str, statement["head"])).encode())
    total = 0
    by_payer: dict[str, int] = {}
    for number, line in enumerate(statement["lines"], start=1):
        parts = dict(sorted(line["by_programme"].items()))
        values = (
            number,
            line["kind"],
            line["work_order_id"],
            line["visit_id"] or "",
            line["elder_id"],
            line["service_code"],
            line["visit_on"],
            line["origin_period"],
            line["minutes"],
            json.dumps(parts, separators=(",", ":")),
        )
        digest.update(("\n" + UNIT.join(map(str, values))).encode())
        demand(line["number"] == number, f"line {number}: it is missing or out of order")
        total += sum(parts.values())
        for payer, fen in parts.items():
            by_payer[payer] = by_payer.get(payer, 0) + fen
    demand(digest.hexdigest() == statement["sha256"], "the statement is not what was hashed")
    # What is read beside the head is what the head says: only the head is hashed.
    names = ("id", "period", "vendor_id", None, None, None, *SUMS)
    for name, hashed in zip(names, statement["head"], strict=True):
        demand(name is None or statement[name] == hashed, f"{name} is not what was hashed")
    demand(len(statement["lines"]) == statement["head"][5], "lines are missing")
    demand(total == statement["total_fen"], f"the lines sum to {total} fen, not to the total")
    by_payer = {payer: fen for payer, fen in by_payer.items() if fen}
    demand(by_payer == statement["by_programme"], "the payers' parts are not those of the lines")
    run = statement["run"]
    said = [*run["statements"]]
    for held in run["held"]:
        facts = json.dumps(held["facts"], sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        said.append(
            UNIT.join((held["work_order_id"], held["reason"], held["vendor_id"] or "", facts))
        )
    closing = sha256("".join(f"{line}\n" for line in said).encode())
    demand(closing == run["sha256"], "the closing is not what was hashed")
    demand(statement["sha256"] in run["statements"], "the closing does not hold this statement")
    for signature in statement["signatures"]:
        demand(
            signature["content_sha256"] == statement["sha256"],
            f"signature {signature['step']}: it stands under another content",
        )


def check_sheet(statement: dict) -> None:
    """Hold the sheet that people read against the statement: its sums, and each line's work order and sum.

    A pack may be without a sheet: then its file is empty.
    """
    if (HERE / "statement.csv").stat().st_size == 0:
        return
    with (HERE / "statement.csv").open(encoding="utf-8-sig", newline="") as sheet:
        rows = [row for row in csv.reader(sheet) if row]
    heads = [n for n, row in enumerate(rows) if row[0] == "序号"]
    demand(len(heads) == 1, "statement.csv: it has no lines")
    said = {row[0]: row[1] for row in rows[: heads[0]]}
    for name, wanted in (
        ("服务总额（元）", yuan(statement["total_fen"])),
        ("其中：民政应付（元）", yuan(statement["payable_fen"])),
        ("内容校验", statement["sha256"]),
    ):
        demand(said.get(name) == wanted, f"statement.csv: {name} is not the statement's")
    lines = statement["lines"]
    found = rows[heads[0] + 1 :][: len(lines)]
    demand(len(found) == len(lines), "statement.csv: lines are missing")
    for line, row in zip(lines, found, strict=True):
        # A leading apostrophe keeps spreadsheets from taking a number for a formula.
        wanted = (
            str(line["number"]),
            line["work_order_id"],
            yuan(sum(line["by_programme"].values())),
        )
        demand(
            (row[0], row[2].removeprefix("'"), row[-1]) == wanted,
            f"statement.csv: line {line['number']} is not the statement's",
        )


def yuan(fen: int) -> str:
    """Return an amount as it stands on the sheet."""
    return f"{'-' if fen < 0 else ''}{abs(fen) // 100}.{abs(fen) % 100:02d}"


def check_ledger(seals: list[dict]) -> tuple[set[str], str]:
    """Compute the chain of seals again; return every entry of the batches that are in the pack."""
    entries: set[str] = set()
    previous = "0" * 64
    for number, seal in enumerate(seals, start=1):
        demand(seal["id"] == number, f"seal {number}: it is missing")
        demand(seal["previous_sha256"] == previous, f"seal {number}: the chain is broken before it")
        if seal["file"] is not None:
            digest = hashlib.sha256(previous.encode())
            count = 0
            with (HERE / seal["file"]).open("rb") as batch:
                for line in batch:
                    digest.update(line)
                    entries.add(line.decode())
                    count += 1
            demand(count == seal["transfers"], f"seal {number}: {count} entries in its batch")
            demand(digest.hexdigest() == seal["sha256"], f"seal {number}: its batch changed")
        previous = seal["sha256"]
    return entries, previous


def line_of(entry: dict) -> str:
    """Return an entry as the line that its seal hashed."""
    names = (
        "serial",
        "id",
        "kind",
        "code",
        "unit",
        "debit_account",
        "credit_account",
        "amount",
        "pending_id",
        "reverses_id",
        "work_order_id",
        "visit_id",
        "period",
        "terms_sha256",
        "at_micro",
    )
    return UNIT.join("" if entry[n] is None else str(entry[n]) for n in names) + "\n"


def check_sample(sample: dict, lines: dict, sealed: set[str]) -> None:
    """Hold one visit against its order, its evidence, its entries and its line."""
    name = sample["work_order"]["id"]
    line = lines[name, sample["kind"]]
    work_order, entries = sample["work_order"], sample["entries"]
    demand(work_order["elder_id"] == line["elder_id"], f"{name}: another elder on the line")
    demand(work_order["service_code"] == line["service_code"], f"{name}: another service")
    demand(work_order["visit_on"] == line["visit_on"], f"{name}: another date")
    demand(work_order["order_id"] == sample["order"]["id"], f"{name}: another order")
    for of in ("order", "split"):
        demand(sample[of]["elder_id"] == line["elder_id"], f"{name}: another elder's {of}")
    for entry in entries:
        demand(line_of(entry) in sealed, f"{name}: entry {entry['id']} stands in no sealed batch")
        demand(entry["work_order_id"] == name, f"{name}: entry {entry['id']} is another's")
    paid: dict[str, int] = {}
    for entry in entries:
        if entry["kind"] == "post" and entry["unit"] == "fen":
            paid[entry["code"]] = paid.get(entry["code"], 0) + entry["amount"]
    demand(paid == line["by_programme"], f"{name}: the entries pay {paid}, not what the line says")
    visits = {v["id"]: v for v in sample["visits"]}
    demand(line["visit_id"] in visits, f"{name}: the line's visit is missing")
    paid_for = visits[line["visit_id"]]
    six = ("service_code", "elder_id", "caregiver_id", "visit_on", "check_in_at", "check_out_at")
    demand(all(paid_for[fact] for fact in six), f"{name}: visit {paid_for['id']} lacks a fact")
    for visit in visits.values():
        demand(visit["elder_id"] == line["elder_id"], f"{name}: visit {visit['id']}: another elder")
        # A meal at a site is handed over at one reading; of a crew one may not have checked out.
        ended = visit["check_out_at"] or visit["check_in_at"]
        demand(visit["check_in_at"] <= ended, f"{name}: its visit ends too early")
        demand(visit["work_order_id"] == name, f"{name}: visit {visit['id']} is another's")
    redeemed = {e["visit_id"] for e in entries if e["kind"] == "post"}
    demand(redeemed == {line["visit_id"]}, f"{name}: its entries name another visit")


def main() -> int:
    """Check everything; return the exit code."""
    try:
        files = check_files()
        statement = read("statement.json")
        check_statement(statement)
        check_sheet(statement)
        sealed, head = check_ledger(read("seals.json"))
        lines = {(x["work_order_id"], x["kind"]): x for x in statement["lines"]}
        samples = read("sample.json")
        for sample in samples:
            check_sample(sample, lines, sealed)
    except (Wrong, KeyError, IndexError, ValueError, OSError) as wrong:
        sys.stdout.write(f"WRONG: {wrong}\n")
        return 1
    sys.stdout.write(
        f"{statement['id']}: {files} files, {len(statement['lines'])} lines,"
        f" {statement['total_fen']} fen, {len(samples)} sampled visits, {len(sealed)} sealed"
        f" entries: all as it should be\nhead of the chain: {head}\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
