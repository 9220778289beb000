"""A sheet as a page: readable on a phone and at arm's length, and it prints as it stands."""

from html import escape
from typing import Final

from poise.care.sheets import Section, Sheet

_STYLE: Final = """
:root { color-scheme: light; }
body { font: 1.25rem/1.55 system-ui, sans-serif; color: #1a1a1a; background: #fff; margin: 0 auto;
       max-width: 42rem; padding: 1.5rem 1.25rem 3rem; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 1rem; }
h2 { font-size: 1.35rem; margin: 0 0 .4rem; }
section { margin: 0 0 1.5rem; break-inside: avoid; }
section.urgent { border-left: .4rem solid #a3170f; padding-left: 1rem; }
section.urgent h2 { color: #8a120b; }
p { margin: 0 0 .4rem; }
ul { margin: 0; padding-left: 1.4rem; }
footer { font-size: 1rem; color: #444; border-top: 1px solid #999; padding-top: .8rem; }
@media print { body { font-size: 14pt; max-width: none; padding: 0; } }
"""
FOOT: Final = (
    "Made by Poise from your record: research and education software, not a medical device. It measures and "
    "reminds. For anything that worries you, ask your clinician."
)


def page_of(sheet: Sheet) -> str:
    """Return a sheet as a whole HTML document, without any script."""
    parts = "\n".join(_section(section) for section in sheet.sections)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(sheet.title)}</title><style>{_STYLE}</style></head>\n"
        f"<body><main><h1>{escape(sheet.title)}</h1>\n{parts}\n</main>"
        f"<footer>{escape(FOOT)} Texts: version {sheet.text_version}.</footer></body></html>\n"
    )


def _section(section: Section) -> str:
    kind = ' class="urgent"' if section.urgent else ""
    text = f"<p>{escape(section.text)}</p>" if section.text else ""
    points = "".join(f"<li>{escape(point)}</li>" for point in section.points)
    listed = f"<ul>{points}</ul>" if points else ""
    return f"<section{kind}><h2>{escape(section.heading)}</h2>{text}{listed}</section>"
