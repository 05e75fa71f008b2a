"""What a person sees of a case file: a page that prints, in both languages, and a README. No scripts."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from typing import Any

from jinja2 import DictLoader, Environment

from gardesh.model.calendar import iso, jalali
from gardesh.model.document import Envelope
from gardesh.model.identifiers import persian_digits

PAGE = """<!doctype html>
<html lang="fa" dir="rtl"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ about.procedure }} {{ about.case[:12] }}</title>
<style>
body { font: 15px/1.6 Vazirmatn, "Noto Sans Arabic", Tahoma, sans-serif; margin: 0 auto; max-width: 62rem; padding: 1rem }
p { overflow-wrap: anywhere } h1 { font-size: 1.4rem } h2 { font-size: 1.15rem; margin: 1.2rem 0 .3rem } h3 { font-size: 1rem; margin: .2rem 0 }
section { border-top: 1px solid #8886; padding: .5rem 0 }
table { border-collapse: collapse; width: 100%; break-inside: auto } tr { break-inside: avoid }
th, td { text-align: start; vertical-align: top; padding: .1rem .4rem; border-bottom: 1px solid #8883; overflow-wrap: anywhere }
th { font-weight: normal; opacity: .75; width: 13rem }
code { direction: ltr; unicode-bidi: isolate; font-size: .85em } .en { direction: ltr; text-align: left }
@media print { body { max-width: none; font-size: 11px } h3 { break-after: avoid } }
</style></head><body>
<h1>پرونده‌ی <code>{{ about.case[:16] }}</code></h1>
<p>رویه <code>{{ about.procedure }}</code>، بسته <code>{{ about.pack }}</code>، دفتر <code>{{ about.origin }}</code>؛
{{ count_fa }} سند. این صفحه برای خواندن است؛ آنچه امضا شده در پوشه‌ی <code>documents</code> است. وارسی:
<code>gardesh case verify FILE</code></p>
<p class="en" lang="en">Case <code>{{ about.case }}</code>, procedure <code>{{ about.procedure }}</code>, pack
<code>{{ about.pack }}</code>, log <code>{{ about.origin }}</code>; {{ count }} documents. This page is for reading; what was
signed is in <code>documents</code>. To check: <code>gardesh case verify FILE</code></p>
{% if about.reader %}<p>این پرونده برای <bdi>{{ about.reader }}</bdi> ساخته شده است: {{ part_fa }} سند در بخشی نشان داده شده و
{{ left_fa }} سند آن که این خواننده مجاز به خواندنش نیست تنها با جایگاهش در دفتر آمده است.</p>
<p class="en" lang="en">Made for <bdi>{{ about.reader }}</bdi>: {{ part }} documents are shown in part, and of {{ left }} that this reader
may not read there is only the place on the log.</p>
{% endif %}{% for title, rows in groups if rows %}<h2>{{ title }}</h2>
{% for r in rows %}<section>
<h3><bdi>{{ r.slot }}</bdi> — <bdi>{{ r.issuer }}</bdi></h3>
<table>
<tr><th>زمان ثبت · recorded</th><td>{{ r.jalali }} · <code>{{ r.iso }}</code></td></tr>
<tr><th>کنش · act</th><td>{{ r.act_fa }} · <code>{{ r.act }}</code></td></tr>
{% if r.outcome %}<tr><th>نتیجه · outcome</th><td>{{ r.outcome_fa }} · <code>{{ r.outcome }}</code></td></tr>
{% endif %}<tr><th>جایگاه در دفتر · position</th><td>{{ r.position_fa }} · <code>{{ r.position }}</code></td></tr>
<tr><th>چکیده · digest</th><td><code>{{ r.digest }}</code></td></tr>
{% for d in r.deficiencies %}<tr><th>نقص · deficiency</th><td><bdi>{{ d.reason.fa }}</bdi> · <bdi lang="en">{{ d.reason.en }}</bdi>
(<code>{{ d.step }}{{ d.field }}</code>)</td></tr>
{% endfor %}{% for a in r.attachments %}<tr><th>پیوست · attachment</th><td>{% if a.here %}<a href="attachments/{{ a.digest }}">
<bdi>{{ a.name }}</bdi></a>{% else %}<bdi>{{ a.name }}</bdi> (در این بسته نیست · not in this file){% endif %}
<code>{{ a.kind }}</code>, {{ a.size }} bytes</td></tr>
{% endfor %}{% for name, value in r.fields %}<tr><th><code>{{ name }}</code></th><td><bdi>{{ value }}</bdi></td></tr>
{% endfor %}</table></section>
{% endfor %}{% endfor %}</body></html>
"""
README = """Gardesh case file / پرونده‌ی گردش

This ZIP holds one case: every document as it was signed, a proof that each is on the log, the log's signed checkpoint,
and the documents that registered the signers' keys, back to the log's first entry.

  index.html       to read and print
  decoded/         each document as plain JSON
  documents/       the documents of the case (W3C VC 2.0, SD-JWT)
  linked/          documents of cases that this one is linked with, or that served in it
  attachments/     files that the documents name, by their SHA-256; manifest.json lists those left out
  keys/            the documents that registered, retired or revoked the keys, and adopted the pack
  keys.json        what these say: whose each key is, in which state, since which position
  receipts/        a C2SP tlog-proof for each document, by its position
  checkpoint       the C2SP signed note of the log
  manifest.json    what is here, with sizes and SHA-256

To check it, with no network:            gardesh case verify FILE
To trust a log key that you know:        gardesh case verify FILE --log-key VKEY
By hand: the name of a document is the SHA-256 of what stands before its first ~, and the JWS (RFC 7515) there verifies
with the key of keys.json. Its leaf on the log is SHA-256(0x00 || name || recorded_at in ms as 8 bytes, big-endian); the
hashes in its receipt lead from the leaf to the root in the checkpoint (RFC 6962, section 2.1.1).

It proves what is in it. That a document was left out is seen where another names it; the log shows the rest. Without
--log-key the log is the one that the file itself names: compare its key with one that you have from elsewhere.


این بسته یک پرونده را در بر دارد: هر سند چنان که امضا شده، گواه ثبت آن در دفتر، نقطه‌ی وارسی امضاشده‌ی دفتر، و سندهایی که
کلید امضاکنندگان را ثبت کرده‌اند، تا نخستین درایه‌ی دفتر.

برای خواندن و چاپ index.html را باز کنید؛ در decoded هر سند به صورت JSON ساده آمده است. در documents سندهای پرونده، در linked
سندهای پرونده‌های پیوسته، در keys سندهای ثبت و ابطال کلید و پذیرش بسته، و در receipts گواه ثبت هر سند است.

برای وارسی بی‌شبکه: gardesh case verify FILE
وارسی دستی: نام هر سند SHA-256 بخش پیش از نخستین ~ است و امضای آن (RFC 7515) با کلید نوشته‌شده در keys.json وارسی می‌شود.

این بسته آنچه را در آن است اثبات می‌کند. اگر سندی کنار گذاشته شده باشد، آنجا دیده می‌شود که سندی دیگر نامش را برده باشد؛ بقیه
را دفتر نشان می‌دهد. بی --log-key دفتر همان است که خود بسته می‌گوید: کلید آن را با کلیدی بسنجید که از جای دیگر دارید.
"""
ACTS = {
    "issue": "صدور", "correct": "اصلاح", "confirm": "تأیید", "withdraw": "انصراف", "revoke": "ابطال",
    "escalate": "ارجاع به بالاتر", "deem": "رأی به سکوت", "lapse": "سپری شدن مهلت", "reuse": "استفاده‌ی دوباره",
    "report": "گزارش به گره دیگر", "mirror": "بازتاب گزارش گره دیگر",
}  # fmt: skip
OUTCOMES = {"approved": "پذیرفته", "deficient": "دارای نقص", "rejected": "رد شده"}
OWN_TITLE = "سندهای پرونده · Documents of the case"
LINKED_TITLE = "پرونده‌ی پیوسته · Linked case"
_template = Environment(loader=DictLoader({"page": PAGE}), autoescape=True).get_template("page")


def page(
    about: dict[str, Any], rows: Sequence[tuple[bool, int, int, Envelope]], attached: Container[str] = ()
) -> bytes:
    """The page, from the documents alone: (of a linked case, position, recorded_at, document) in log order.

    `attached` are the digests of the attachments that are in the file.
    """
    own = [_row(position, at, paper, attached) for linked, position, at, paper in rows if not linked]
    others: dict[str, list[dict[str, Any]]] = {}
    for linked, position, at, paper in rows:
        if linked:
            others.setdefault(_of(paper), []).append(_row(position, at, paper, attached))
    text = _template.render(
        about=about,
        groups=[(OWN_TITLE, own), *((f"{LINKED_TITLE} {name}", made) for name, made in others.items())],
        count=len(rows),
        part=(part := sum(not paper.complete for _, _, _, paper in rows)),
        part_fa=persian_digits(str(part)),
        left=(left := len(about.get("left_out", ()))),
        left_fa=persian_digits(str(left)),
        count_fa=persian_digits(str(len(rows))),
    )
    return text.encode()


def _of(paper: Envelope) -> str:
    """Which case a document is of: its procedure, and the beginning of its id."""
    return f"{paper.pack.partition('@')[0]}/{paper.procedure.rpartition('/')[2]} {(paper.case or paper.digest.hex())[:12]}"


def _row(position: int, at: int, paper: Envelope, attached: Container[str]) -> dict[str, Any]:
    return {
        "slot": f"{paper.step}:{paper.key}" if paper.key else paper.step,
        "issuer": paper.issuer,
        "jalali": jalali(at),
        "iso": iso(at),
        "act": paper.act,
        "act_fa": ACTS.get(paper.act, paper.act),
        "outcome": paper.outcome,
        "outcome_fa": OUTCOMES.get(paper.outcome or "", ""),
        "position": position,
        "position_fa": persian_digits(str(position)),
        "digest": paper.digest.hex(),
        "deficiencies": paper.deficiencies,
        "fields": list(fields(paper.subject)),
        "attachments": [
            {
                "digest": str(a["id"])[-64:],
                "name": a.get("name") or str(a["id"])[-64:-52],
                "kind": a["mediaType"],
                "size": a["size"],
                "here": str(a["id"])[-64:] in attached,
            }
            for a in paper.attachments
        ],
    }


def fields(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """(path, value) for every value in a subject, as `goods[0].hs`. Empty objects and lists are shown as such."""
    if isinstance(value, dict) and value:
        for member, inner in value.items():
            yield from fields(inner, f"{name}.{member}" if name else str(member))
    elif isinstance(value, list) and value:
        for index, inner in enumerate(value):
            yield from fields(inner, f"{name}[{index}]")
    elif name:
        yield name, _text(value)


def _text(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "—", True: "بله · yes", False: "خیر · no"}[value]
    return f"{value:f}" if hasattr(value, "as_tuple") else "—" if value in ({}, []) else str(value)


def readme() -> bytes:
    return README.encode()
