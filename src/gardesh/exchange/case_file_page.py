"""What a person sees of a case file: a page that prints, in both languages, and a README. No scripts."""

from __future__ import annotations

from typing import Any

import msgspec
from jinja2 import DictLoader, Environment, select_autoescape

from gardesh.model.calendar import iso, jalali
from gardesh.model.document import Envelope
from gardesh.model.identifiers import persian_digits

PAGE = """<!doctype html>
<html lang="fa"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ about.procedure }} {{ about.case[:12] }}</title>
<style>
body { font: 15px/1.6 Vazirmatn, "Noto Sans Arabic", system-ui, sans-serif; margin: 0 auto; max-width: 60rem; padding: 1rem }
section { border-top: 1px solid #8886; padding: .5rem 0; break-inside: avoid }
h1 { font-size: 1.4rem } h2 { font-size: 1.05rem; margin: .3rem 0 }
dl { display: grid; grid-template-columns: minmax(8rem, auto) 1fr; gap: .1rem 1rem; margin: .3rem 0 }
dt { opacity: .7 } dd { margin: 0; overflow-wrap: anywhere } code, pre { direction: ltr; unicode-bidi: isolate; font-size: .85em }
pre { white-space: pre-wrap; overflow-wrap: anywhere; background: #8881; padding: .5rem; border-radius: .3rem; text-align: left }
.fa { direction: rtl } .en { direction: ltr }
</style></head><body>
<h1 class="fa">پرونده‌ی <code>{{ about.case[:16] }}</code></h1>
<p class="fa">رویه <code>{{ about.procedure }}</code>، بسته <code>{{ about.pack }}</code>، دفتر <code>{{ about.origin }}</code>؛
{{ count_fa }} سند. وارسی: <code>gardesh case verify</code></p>
<p class="en" lang="en">Case <code>{{ about.case }}</code>, procedure {{ about.procedure }}, pack {{ about.pack }}, log {{ about.origin }};
{{ rows|length }} documents. To check: <code>gardesh case verify FILE</code></p>
{% for r in rows %}<section>
<h2><bdi>{{ r.slot }}</bdi> — <bdi>{{ r.issuer }}</bdi></h2>
<dl><dt>زمان · recorded</dt><dd>{{ r.jalali }} · <code>{{ r.iso }}</code></dd>
<dt>کنش · act</dt><dd><code>{{ r.act }}{% if r.outcome %} {{ r.outcome }}{% endif %}</code></dd>
<dt>جایگاه در دفتر · position</dt><dd><code>{{ r.position }}</code></dd>
<dt>چکیده · digest</dt><dd><code>{{ r.digest }}</code></dd></dl>
<pre>{{ r.subject }}</pre>
</section>
{% endfor %}</body></html>
"""
README = """Gardesh case file / پرونده‌ی گردش

This ZIP holds one case: every document as it was signed, a proof that each is on the log, the log's signed checkpoint,
and the documents that registered the signers' keys, back to the log's first entry.

  index.html       to read and print
  decoded/         each document as plain JSON
  documents/       the case's documents (W3C VC 2.0, SD-JWT)
  keys/            the documents that registered the keys
  receipts/        C2SP tlog-proof files, one for each document
  checkpoint       C2SP signed note of the log
  manifest.json    what is here, by SHA-256

To check it, with no network: gardesh case verify FILE
By hand: sha256 of the part of a document before the first ~ is its name; its leaf on the log is SHA-256(0x00 || name || time in
ms as 8 bytes); receipts/ proves the leaf under checkpoint (RFC 6962).

این بسته یک پرونده را در بر دارد: هر سند چنان که امضا شده، گواه ثبت آن در دفتر، نقطه‌ی وارسی امضاشده‌ی دفتر، و سندهایی که
کلید امضاکنندگان را ثبت کرده‌اند. برای وارسی بی‌شبکه: gardesh case verify FILE
"""
_environment = Environment(loader=DictLoader({"page": PAGE}), autoescape=select_autoescape(default=True))
_encode = msgspec.json.Encoder(order="deterministic", decimal_format="string").encode


def page(about: dict[str, Any], rows: list[tuple[int, int, Envelope]]) -> bytes:
    """The page, from the documents alone: (position, recorded_at, document) in log order."""
    shown = [
        {
            "slot": f"{paper.step}:{paper.key}" if paper.key else paper.step,
            "issuer": paper.issuer,
            "jalali": jalali(at),
            "iso": iso(at),
            "act": paper.act,
            "outcome": paper.outcome,
            "position": position,
            "digest": paper.digest.hex(),
            "subject": msgspec.json.format(_encode(paper.subject), indent=2).decode(),
        }
        for position, at, paper in rows
    ]
    text = _environment.get_template("page").render(
        about=about, rows=shown, count_fa=persian_digits(str(len(rows)))
    )
    return text.encode()


def readme() -> bytes:
    return README.encode()
