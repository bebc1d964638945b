"""Pages to PDF with WeasyPrint: ``pip install nuanju[pdf]`` and the Pango library of the system."""

from __future__ import annotations

from marketplace.kernel.ports import NoPrinter


class WeasyPrinter:
    """Prints HTML pages; the same page gives the same bytes with the same fonts and versions."""

    def pdf(self, html: bytes) -> bytes:
        """Return a page as PDF; raises ``NoPrinter`` where it is not installed."""
        # Only who prints needs it, and it looks for a system library when it is imported.
        try:
            from weasyprint import HTML
        except (ImportError, OSError) as error:
            raise NoPrinter(needs="nuanju[pdf] and libpango", error=str(error)[:200]) from error
        return bytes(HTML(string=html.decode()).write_pdf())
