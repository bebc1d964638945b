"""Evidence that an auditor checks without us: packs, sheets on paper, the outside voucher's book."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
import zipfile
import zlib
from dataclasses import replace

import pytest
from sqlalchemy import select

from marketplace.adapters.pdf import WeasyPrinter
from marketplace.kernel.actor import Actor, Role
from marketplace.kernel.audit import AuditEvent
from marketplace.kernel.errors import BadInput, NotAllowed
from marketplace.queries.statements import document, notice
from marketplace.settlement.export import notice_csv, to_csv, to_html
from marketplace.workflows.evidence import make_pack
from marketplace.workflows.evidence_facts import NotSealed
from marketplace.workflows.ledger import seal_ledger
from tests.builders import DISTRICT
from tests.workflows.months import ST, VENDOR, close, sign_all

AUDITOR = Actor("auditor-1", Role.AUDITOR)


def packed(session, ports, path, **changed):
    values = {"statement_id": ST, "sample": 5, "draw": "x", "reason": "年度审计", "path": path}
    values["sheet"] = to_csv(document(session, ST))
    return make_pack(session, ports, AUDITOR, **{**values, **changed})


def verified(folder):
    """Run the pack's own script by an interpreter that knows no package of ours."""
    return subprocess.run(
        [sys.executable, "-I", "-S", str(folder / "verify.py")],
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def pack(session, ports, november, tmp_path):
    """An unpacked pack of both visits of the signed statement."""
    close(session, ports)
    sign_all(session, ports)
    seal_ledger(session, ports)
    packed(session, ports, tmp_path / "pack.zip")
    folder = tmp_path / "pack"
    with zipfile.ZipFile(tmp_path / "pack.zip") as archive:
        archive.extractall(folder)
    return folder


def test_a_script_without_our_code_accepts_the_pack(pack):
    done = verified(pack)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{ST}: " in done.stdout
    assert "2 sampled visits" in done.stdout
    assert "head of the chain" in done.stdout


def test_a_meal_that_was_handed_over_at_one_reading_is_no_fault(pack):
    sample = json.loads((pack / "sample.json").read_text(encoding="utf-8"))
    for visit in sample[0]["visits"]:
        visit["check_out_at"] = visit["check_in_at"]
    (pack / "sample.json").write_text(json.dumps(sample), encoding="utf-8")
    rehash(pack, "sample.json")
    done = verified(pack)
    assert done.returncode == 0, done.stdout


def rehash(folder, name):
    """Make the manifest fit a changed file, as whoever changes one would."""
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"][name] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    ("name", "old", "new", "said"),
    [
        (
            "statement.json",
            '"minutes": 60',
            '"minutes": 61',
            "the statement is not what was hashed",
        ),
        ("statement.json", '"LV": 10000', '"LV": 10001', "the payers' parts are not"),
        ("statement.json", '"payable_fen": ', '"payable_fen": 1', "payable_fen is not what was"),
        ("statement.json", '"own_fen": ', '"own_fen": 1', "own_fen is not what was hashed"),
        (
            "statement.csv",
            "服务总额（元）,",
            "服务总额（元）,1",
            "服务总额（元） is not the statement's",
        ),
        ("statement.csv", ",W1,", ",W9,", "statement.csv: line 1 is not the statement's"),
        ("statement.json", '"reason": "disputed"', '"reason": "x"', "the closing is not"),
        ("sample.json", '"amount": 10000', '"amount": 10001', "stands in no sealed batch"),
        ("sample.json", '"check_out_at": "2026', '"check_out_at": "2025', "ends too early"),
        ("sample.json", '"elder_id": "E1"', '"elder_id": "E2"', "elder"),
        ("seals.json", '"transfers": ', '"transfers": 1', "entries in its batch"),
        ("ledger/seal-000001.txt", "\x1f10000\x1f", "\x1f10001\x1f", "its batch changed"),
    ],
)
def test_it_names_what_was_changed(pack, name, old, new, said):
    path = pack / name
    content = path.read_text(encoding="utf-8")
    assert old in content
    path.write_text(content.replace(old, new, 1), encoding="utf-8")
    done = verified(pack)
    assert (done.returncode, f"{name}: its content changed" in done.stdout) == (1, True)
    rehash(pack, name)
    done = verified(pack)
    assert done.returncode == 1
    assert said in done.stdout


def test_the_same_pack_has_the_same_bytes_and_names_nobody(session, ports, november, tmp_path):
    close(session, ports)
    seal_ledger(session, ports)
    first = packed(session, ports, tmp_path / "a.zip", sample=1)
    again = packed(session, ports, tmp_path / "b.zip", sample=1)
    assert first == again
    assert len(first.work_orders) == 1
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        everything = b"".join(archive.read(n) for n in archive.namelist() if n != "verify.py")
    assert "张桂兰".encode() not in everything
    assert b"index-of-E1" not in everything
    taken = session.scalars(select(AuditEvent).where(AuditEvent.action == "take_evidence")).all()
    assert [e.reason for e in taken] == ["年度审计"] * 2


def test_a_pack_needs_a_reason_a_right_and_a_sealed_ledger(session, ports, november, tmp_path):
    close(session, ports)
    with pytest.raises(NotSealed):
        packed(session, ports, tmp_path / "a.zip")
    with pytest.raises(BadInput):
        packed(session, ports, tmp_path / "a.zip", reason=" ")
    elder = Actor("u-elder", Role.COMMUNITY, district_code=DISTRICT)
    with pytest.raises(NotAllowed):
        make_pack(
            session,
            ports,
            elder,
            statement_id=ST,
            sample=1,
            draw="",
            reason="x",
            path=tmp_path / "a.zip",
        )


def test_a_printed_line_keeps_to_its_sheet_whatever_its_numbers_are(session, ports, november):
    """Record numbers are 36 characters long, and seven payers may share one month."""
    close(session, ports)
    doc = document(session, ST)
    payers = dict.fromkeys(("GP-A1", "LTCI", "LV", "MEAL", "NV", "OWN", "TQ"), 123456)
    line = replace(
        doc.lines[0],
        work_order_id="01a20220-6fb9-76f3-9659-01aedae216c1",
        visit_id="01a20220-6fb9-76f3-9659-01aedae216c2",
        by_programme=payers,
    )
    sheet = to_html(replace(doc, lines=[line] * 40)).decode()
    # 40 lines of 1,234.56 by seven payers each.
    assert '<td class="n">49382.40</td>' in sheet
    assert '<td class="n">345676.80</td>' in sheet
    weasyprint = pytest.importorskip("weasyprint")
    pages = weasyprint.HTML(string=sheet).render().pages
    for page in pages:
        box = page._page_box
        right = box.position_x + box.margin_left + box.width + 0.5
        tables = [b for b in box.descendants() if b.element_tag == "table"]
        assert all(b.position_x + b.width <= right for b in tables)
    assert len(pages) <= 4


def test_a_statement_prints_as_pdf_in_chinese(session, ports, november):
    close(session, ports)
    page = to_html(document(session, ST))
    made = WeasyPrinter().pdf(page)
    assert made.startswith(b"%PDF-")
    assert made == WeasyPrinter().pdf(page)
    streams = re.findall(rb"stream\n(.*?)\nendstream", made, re.S)
    inside = b"".join(zlib.decompress(s) for s in streams if s[:1] == b"x")
    assert b"CJK" in inside + made


def test_the_public_notice_has_sums_and_nobodys_name(session, ports, november):
    close(session, ports)
    said = notice_csv("2026-11", notice(session, "2026-11")).decode("utf-8-sig")
    assert said.splitlines()[2].startswith(f"姜堰区,德寿护理,{ST},3,585.50,150.00,已生成,")
    assert "E1" not in said
    assert VENDOR.user_id not in said
