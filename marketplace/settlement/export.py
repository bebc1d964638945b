"""A statement as CSV, XLSX and a printable sheet; the same statement gives the same bytes always."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape

from openpyxl import Workbook

from marketplace.kernel.clock import local
from marketplace.kernel.money import yuan_from_fen
from marketplace.settlement.rules import Line, yuan_in_words

KINDS_ZH = {"visit": "服务", "fee": "费用", "reversal": "冲回"}
NOT_PAID_ZH = "（放款前已冲回，不付）"
STEPS_ZH = {
    "vendor_confirmed": "服务商确认",
    "street_checked": "街道审核",
    "county_approved": "区县批准",
    "released": "放款",
}


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature as it stands on the sheet."""

    step: str
    by: str
    at: datetime


CASH_ZH = {"cash_at_door": "收现金", "cash_back": "退现金"}


@dataclass(frozen=True, slots=True)
class CashRow:
    """Cash that the vendor took at the door in the month, or handed back (``code``), in fen."""

    at: datetime
    code: str
    work_order_id: str
    elder_id: str
    fen: int


@dataclass(frozen=True, slots=True)
class Document:
    """A statement with everything that is printed. ``closed_at`` is the only time in the bytes that
    is not a line's; a later signature changes the sheet, nothing else does. ``for_vendor``: it names
    no programme; ``sha256`` is that of the statement itself in every copy. ``withheld``: lines that the
    release did not pay; ``corrected_fen``: what the bureau pays more by them, and by lines that reverse
    such as were not paid. ``holdback_fen`` is of what is paid. ``cash``: what the vendor took at the door
    and handed back; ``own_passed_fen``: what the release passed on of families' payments, less than
    nothing where it deducts own money of visits that were taken back."""

    statement_id: str
    period: str
    vendor_id: str
    vendor_name: str
    district_code: str
    district_name: str
    closed_at: datetime
    total_fen: int
    payable_fen: int
    outside_fen: int
    own_fen: int
    holdback_fen: int
    by_programme: Mapping[str, int]
    sha256: str
    lines: Sequence[Line]
    service_names: Mapping[str, str]
    programme_names: Mapping[str, str]
    signatures: Sequence[Signature] = ()
    for_vendor: bool = False
    withheld: Collection[int] = ()
    corrected_fen: int = 0
    cash: Sequence[CashRow] = ()
    own_passed_fen: int = 0

    @property
    def programmes(self) -> list[str]:
        """Return the payers that any line names, in order."""
        return sorted({c for line in self.lines for c in line.by_programme})


def _header(doc: Document) -> list[str]:
    return [
        "序号",
        "类型",
        "工单号",
        "上门记录",
        "老人编号",
        "服务编码",
        "服务项目",
        "服务日期",
        "归属月份",
        "分钟",
        *(_safe(f"{doc.programme_names.get(c, c)}（元）") for c in doc.programmes),
        "合计（元）",
    ]


def _kind(doc: Document, number: int, line: Line) -> str:
    return KINDS_ZH[line.kind] + (NOT_PAID_ZH if number in doc.withheld else "")


def _row(doc: Document, number: int, line: Line) -> list[str]:
    return [
        str(number),
        _kind(doc, number, line),
        line.work_order_id,
        line.visit_id or "",
        line.elder_id,
        line.service_code,
        doc.service_names.get(line.service_code, ""),
        line.visit_on.isoformat(),
        line.origin_period,
        str(line.minutes),
        *(yuan_from_fen(line.by_programme.get(c, 0)) for c in doc.programmes),
        yuan_from_fen(line.total_fen),
    ]


def _sums(doc: Document) -> list[tuple[str, str]]:
    net = doc.payable_fen + doc.corrected_fen - doc.holdback_fen
    corrected = [("放款前冲回调整（元）", yuan_from_fen(doc.corrected_fen))]
    return [
        ("结算单号", doc.statement_id),
        ("服务商", f"{doc.vendor_name}（{doc.vendor_id}）"),
        ("区县", f"{doc.district_name}（{doc.district_code}）"),
        ("结算周期", doc.period),
        ("服务总额（元）", yuan_from_fen(doc.total_fen)),
        ("其中：民政应付（元）", yuan_from_fen(doc.payable_fen)),
        ("其中：外部支付（元）", yuan_from_fen(doc.outside_fen)),
        ("其中：老人自付（元）", yuan_from_fen(doc.own_fen)),
        *(corrected if doc.corrected_fen else []),
        ("质量保证金（元）", yuan_from_fen(doc.holdback_fen)),
        ("本期实付（元）" if net >= 0 else "应退回（元）", yuan_from_fen(abs(net))),
        ("大写", yuan_in_words(abs(net))),
        *_own_money(doc),
        ("联次", "服务商联" if doc.for_vendor else "民政财政联"),
        ("内容校验", doc.sha256),
    ]


def _own_money(doc: Document) -> list[tuple[str, str]]:
    """Return what was done with elders' own money beside the bureau's; nothing where nothing was."""
    sums = [
        ("代转家属支付（元）" if doc.own_passed_fen > 0 else "扣回应退自付款（元）", abs(doc.own_passed_fen)),
        *(
            (f"本月{name}（元）", sum(c.fen for c in doc.cash if c.code == code))
            for code, name in CASH_ZH.items()
        ),
    ]  # fmt: skip
    return [(name, yuan_from_fen(fen)) for name, fen in sums if fen]


_CASH_HEADER = ["现金往来", "日期", "工单号", "老人编号", "金额（元）"]


def _cash_row(row: CashRow) -> list[str]:
    return [
        CASH_ZH[row.code],
        local(row.at).date().isoformat(),
        row.work_order_id,
        row.elder_id,
        yuan_from_fen(row.fen),
    ]


def _safe(cell: str) -> str:
    """Keep a spreadsheet from taking a text for a formula."""
    is_number = cell[1:].replace(".", "", 1).isdigit()
    return f"'{cell}" if cell[:1] in "=+-@\t\r" and cell and not is_number else cell


def to_csv(doc: Document) -> bytes:
    """Return the statement as CSV with a BOM, so that spreadsheets read the Chinese."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    for name, value in _sums(doc):
        writer.writerow([name, _safe(value)])
    writer.writerow([])
    writer.writerow(_header(doc))
    for number, line in enumerate(doc.lines, start=1):
        writer.writerow([_safe(cell) for cell in _row(doc, number, line)])
    if doc.cash:
        writer.writerow([])
        writer.writerow(_CASH_HEADER)
        for cash in doc.cash:
            writer.writerow([_safe(cell) for cell in _cash_row(cash)])
    return out.getvalue().encode("utf-8-sig")


@dataclass(frozen=True, slots=True)
class NoticeRow:
    """One statement of a public notice: no elder, no visit, sums only."""

    district_name: str
    vendor_name: str
    statement_id: str
    visits: int
    total_fen: int
    payable_fen: int
    step: str
    sha256: str


def notice_csv(period: str, rows: Sequence[NoticeRow]) -> bytes:
    """Return the public notice of a month as CSV with a BOM."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([f"养老服务补贴结算公示 {period}"])
    heading = ["区县", "服务商", "结算单号", "条数", "服务总额（元）", "民政应付（元）", "进度"]
    writer.writerow([*heading, "内容校验"])
    for r in rows:
        cells = [r.district_name, r.vendor_name, r.statement_id, str(r.visits)]
        cells += [yuan_from_fen(r.total_fen), yuan_from_fen(r.payable_fen)]
        cells += [STEPS_ZH.get(r.step, "已生成"), r.sha256]
        writer.writerow([_safe(c) for c in cells])
    return out.getvalue().encode("utf-8-sig")


def to_xlsx(doc: Document) -> bytes:
    """Return the statement as a workbook of two sheets; amounts are numbers of yuan."""
    book = Workbook(write_only=True)
    closed = doc.closed_at.replace(tzinfo=None, microsecond=0)
    book.properties.created = book.properties.modified = closed
    head = book.create_sheet("结算单")
    for name, value in _sums(doc):
        head.append([name, _safe(value)])
    detail = book.create_sheet("明细")
    detail.append(_header(doc))
    amounts = len(doc.programmes) + 1
    for number, line in enumerate(doc.lines, start=1):
        row = _row(doc, number, line)
        detail.append(
            [_safe(cell) for cell in row[:-amounts]] + [float(cell) for cell in row[-amounts:]]
        )
    if doc.cash:
        cash = book.create_sheet("现金往来")
        cash.append(_CASH_HEADER)
        for c in doc.cash:
            row = _cash_row(c)
            cash.append([_safe(cell) for cell in row[:-1]] + [float(row[-1])])
    raw = io.BytesIO()
    book.save(raw)
    return _without_clock(raw.getvalue(), closed)


def _without_clock(archive: bytes, closed: datetime) -> bytes:
    """Return a zip with every member dated alike: the writer puts the present time into each."""
    out = io.BytesIO()
    stamp = f"{closed.isoformat()}Z".encode()
    with (
        zipfile.ZipFile(io.BytesIO(archive)) as source,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target,
    ):
        for item in sorted(source.infolist(), key=lambda i: i.filename):
            content = source.read(item.filename)
            if item.filename == "docProps/core.xml":
                content = _fix_times(content, stamp)
            member = zipfile.ZipInfo(item.filename, date_time=(1980, 1, 1, 0, 0, 0))
            member.compress_type = zipfile.ZIP_DEFLATED
            target.writestr(member, content)
    return out.getvalue()


def _fix_times(core: bytes, stamp: bytes) -> bytes:
    for tag in (b"dcterms:modified", b"dcterms:created"):
        start = core.find(b"<" + tag)
        if start >= 0:
            begin = core.index(b">", start) + 1
            core = core[:begin] + stamp + core[core.index(b"</" + tag, begin) :]
    return core


_STYLE = """
@page { size: A4 landscape; margin: 12mm;
  @bottom-right { content: counter(page) " / " counter(pages); font-size: 8pt } }
body { font: 11pt "Noto Serif CJK SC", "SimSun", serif; color: #000 }
h1 { font-size: 16pt; text-align: center; margin: 0 0 4mm }
table { border-collapse: collapse; width: 100%; margin-bottom: 5mm }
th, td { border: 0.3pt solid #000; padding: 1mm 1.5mm; text-align: left }
td.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
thead { display: table-header-group } tr { break-inside: avoid }
table.lines { font-size: 8pt } table.lines :is(th, td) { padding: 0.7mm 1mm }
table.lines th { overflow-wrap: anywhere } td.d { white-space: nowrap }
td.id { font-size: 5.5pt; width: 38mm; overflow-wrap: anywhere }
table:not(.lines) th { width: 60mm } tr.sum { font-weight: bold }
"""


def to_html(doc: Document) -> bytes:
    """Return the statement as one printable page in Chinese, with sums in words and signatures.

    Each line stands on one row of a sheet A4 across: what a file keeps in columns of its own, service
    code and the two record numbers, shares a cell here.
    """
    parts = [
        '<!doctype html><html lang="zh-CN"><head><meta charset="utf-8">',
        f"<title>{escape(doc.statement_id)}</title><style>{_STYLE}</style></head><body>",
        f"<h1>养老服务补贴结算单 {escape(doc.period)}</h1><table><tbody>",
    ]
    for name, value in _sums(doc):
        said = f"人民币{value}" if name == "大写" else value
        parts.append(f"<tr><th>{escape(name)}</th><td>{escape(said)}</td></tr>")
    parts.append("</tbody></table>")
    parts.extend(_printed_lines(doc))
    if doc.cash:
        heading = "".join(f"<th>{name}</th>" for name in _CASH_HEADER)
        parts.append(f'<table class="lines"><thead><tr>{heading}</tr></thead><tbody>')
        for c in doc.cash:
            *texts, fen = map(escape, _cash_row(c))
            cells = "".join(f"<td>{text}</td>" for text in texts)
            parts.append(f'<tr>{cells}<td class="n">{fen}</td></tr>')
        parts.append("</tbody></table>")
    parts.append("<table><tbody>")
    signed = {s.step: s for s in doc.signatures}
    for step, name in STEPS_ZH.items():
        signature = signed.get(step)
        text = f"{signature.by} {local(signature.at):%Y-%m-%d %H:%M}" if signature else ""
        parts.append(f"<tr><th>{name}</th><td>{escape(text)}</td></tr>")
    parts.append("</tbody></table></body></html>\n")
    return "\n".join(parts).encode()


def _printed_lines(doc: Document) -> Iterator[str]:
    heads = ["序号", "类型", "服务日期", "服务项目", "老人编号", "归属月份", "分钟"]
    heads += [f"{doc.programme_names.get(c, c)}（元）" for c in doc.programmes]
    heads += ["合计（元）", "工单号／上门记录"]
    yield '<table class="lines"><thead><tr>'
    yield "".join(f"<th>{escape(name)}</th>" for name in heads)
    yield "</tr></thead><tbody>"
    for number, line in enumerate(doc.lines, start=1):
        service = f"{doc.service_names.get(line.service_code, '')} {line.service_code}"
        yield "".join(
            [
                f"<tr><td>{number}</td><td>{_kind(doc, number, line)}</td>",
                f"<td class=d>{line.visit_on.isoformat()}</td><td>{escape(service.strip())}</td>",
                f"<td>{escape(line.elder_id)}</td><td class=d>{line.origin_period}</td>",
                f'<td class="n">{line.minutes}</td>',
                *(_amount(line.by_programme.get(c, 0)) for c in doc.programmes),
                _amount(line.total_fen),
                f'<td class="id">{escape(line.work_order_id)}<br>{escape(line.visit_id or "")}</td>',
                "</tr>",
            ]
        )
    sums = [sum(x.by_programme.get(c, 0) for x in doc.lines) for c in doc.programmes]
    yield '<tr class="sum"><td colspan="7">合计</td>'
    yield "".join(_amount(fen) for fen in (*sums, sum(sums))) + "<td></td></tr></tbody></table>"


def _amount(fen: int) -> str:
    return f'<td class="n">{yuan_from_fen(fen)}</td>'
