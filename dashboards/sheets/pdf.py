"""A sheet as PDF on A4, in large type. The only file that knows fpdf2."""

import unicodedata
from typing import Any, Final

from fpdf import FPDF

from dashboards.sheets.page import FOOT
from poise.care.sheets import Section, Sheet

_FONT: Final = "Helvetica"
"""One of the fonts that every reader of PDF has; what it cannot write is written without its accents."""
_TITLE_PT, _HEADING_PT, _TEXT_PT, _FOOT_PT = 22, 16, 14, 10
_LINE_MM: Final = 7.0
_MARGIN_MM: Final = 20.0
_RED: Final = (138, 18, 11)
_BLACK: Final = (26, 26, 26)
_INDENT_MM: Final = 6.0


def pdf_of(sheet: Sheet) -> bytes:
    """Return a sheet as a PDF file; the same sheet gives the same words on the same pages."""
    pdf = FPDF(format="A4")
    pdf.set_margins(_MARGIN_MM, _MARGIN_MM)
    pdf.set_auto_page_break(auto=True, margin=_MARGIN_MM)
    pdf.set_title(_plain(sheet.title))
    pdf.set_lang("en")
    pdf.add_page()
    _write(pdf, sheet.title, _TITLE_PT, bold=True, line_mm=10.0)
    for section in sheet.sections:
        _section(pdf, section)
    pdf.ln(4)
    _write(pdf, f"{FOOT} Texts: version {sheet.text_version}.", _FOOT_PT, line_mm=5.0)
    return bytes(pdf.output())


def _section(pdf: FPDF, section: Section) -> None:
    pdf.ln(4)
    with pdf.unbreakable() as whole:
        whole.set_text_color(*(_RED if section.urgent else _BLACK))
        _write(whole, section.heading, _HEADING_PT, bold=True, line_mm=8.0)
        whole.set_text_color(*_BLACK)
        if section.text:
            _write(whole, section.text, _TEXT_PT)
        for point in section.points:
            whole.set_x(_MARGIN_MM)
            whole.set_font(_FONT, size=_TEXT_PT)
            whole.cell(_INDENT_MM, _LINE_MM, "\x95")  # the bullet of these fonts' encoding
            _write(whole, point, _TEXT_PT)


def _write(pdf: Any, text: str, size_pt: int, *, bold: bool = False, line_mm: float = _LINE_MM) -> None:
    pdf.set_font(_FONT, style="B" if bold else "", size=size_pt)
    pdf.multi_cell(0, line_mm, _plain(text), align="L", new_x="LMARGIN", new_y="NEXT")


def _plain(text: str) -> str:
    """Return text in the letters that the font has: accents go where it must be, the rest becomes '?'."""
    whole = text.replace("\N{EN DASH}", "-").replace("\N{EM DASH}", "-").replace("\N{BULLET}", "-")
    return "".join(_letter(letter) for letter in whole)


def _letter(letter: str) -> str:
    if letter.isprintable() or letter == "\n":
        for tried in (letter, unicodedata.normalize("NFKD", letter).encode("ascii", "ignore").decode()):
            if tried and tried.encode("latin-1", "ignore"):
                return tried
    return "?"
