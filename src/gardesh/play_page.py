"""A page that steps through a played case: no scripts, no network, both languages, printable."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from jinja2 import DictLoader, Environment, select_autoescape

from gardesh.model.calendar import jalali
from gardesh.model.identifiers import persian_digits
from gardesh.model.term import Term
from gardesh.worked import WorkedCase

Row = dict[str, Any]
"""One act, or one slot after it, as JSON."""

PAGE = """<!doctype html>
<html lang="{{ lang }}" dir="{{ 'rtl' if lang == 'fa' else 'ltr' }}">
<head>
<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ title }}</title>
<style>
:root { color-scheme: light dark; --line: #8884; --soft: #8881 }
body { font: 16px/1.6 Vazirmatn, "Noto Sans Arabic", system-ui, sans-serif; margin: 0 auto; max-width: 62rem; padding: 1rem }
h1 { font-size: 1.5rem; margin: .5rem 0 } h2 { font-size: 1.1rem; margin: .2rem 0 }
p.about { max-width: 44rem }
nav ol { {% if lang == 'fa' %}list-style: persian; {% endif %}padding-inline-start: 1.6rem; columns: 2; font-size: .85rem } nav a { text-decoration: none }
section { border: 1px solid var(--line); border-radius: .5rem; padding: .8rem 1rem; margin: 1rem 0; scroll-margin-top: 1rem }
section:target { outline: 3px solid #06c }
table { border-collapse: collapse; width: 100%; font-size: .9rem } th { text-align: start; font-weight: 600 }
td, th { padding-block: .2rem; padding-inline: 0 .6rem; border-bottom: 1px solid var(--line); vertical-align: top }
.scroll { overflow-x: auto } code { font-size: .85em; direction: ltr; unicode-bidi: isolate }
.tag { border-radius: 1rem; padding: 0 .6rem; font-size: .85rem; white-space: nowrap; background: var(--soft) }
.issued { background: #2a83; } .due, .overdue { background: #fb05 } .returned, .refused { background: #d445 }
.doubtful { background: #a5d4 } .refusal { color: #b30 } .now td { font-weight: 600 } .quiet { opacity: .65 }
.steps { display: flex; justify-content: space-between }
time, .until { white-space: nowrap }
@media (max-width: 40rem) {
  nav ol { columns: 1 }
  tr:first-child { display: none }
  tr { display: flex; flex-wrap: wrap; gap: 0 .8rem; align-items: baseline; border-bottom: 1px solid var(--line); padding: .3rem 0 }
  td { border: 0; padding: 0 } td:first-child { flex: 1 1 60% } td:empty { display: none }
  td[data-said]:not(:empty)::before { content: attr(data-said) " "; opacity: .65; font-weight: 400 }
  td.reason { flex-basis: 100% }
}
@media print { nav, .steps { display: none } section { break-inside: avoid } }
</style>
</head>
<body>
<h1>{{ title }}</h1>
{% if about %}<p class="about">{{ about }}</p>{% endif %}
<nav aria-label="{{ w.acts }}"><ol>
{% for a in acts %}<li><a href="#act-{{ a.number }}">{{ a.said }}{% if not a.accepted %} ✗{% endif %}</a></li>
{% endfor %}</ol></nav>
{% for a in acts %}
<section id="act-{{ a.number }}">
<h2>{{ a.shown_number }}. {{ a.said }}</h2>
<p><time class="quiet">{{ a.at }}</time>
{% if a.accepted %}✓{% else %}<span class="refusal">✗ <code>{{ a.code }}</code> {{ a.message }}</span>{% endif %}</p>
{% for c in a.clock %}<p>⏱ {{ c }}</p>{% endfor %}
{% for f in a.failures %}<p class="refusal">{{ f }}</p>{% endfor %}
<div class="scroll"><table>
<tr><th>{{ w.slot }}</th><th>{{ w.state }}</th><th>{{ w.who }}</th><th>{{ w.until }}</th><th>{{ w.reason }}</th></tr>
{% for s in a.slots %}<tr{% if s.demanded and not s.reason %} class="now"{% elif s.state == 'not-applicable' %} class="quiet"{% endif %}>
<td>{{ s.title }}<br><code class="quiet">{{ s.slot }}</code></td><td><span class="tag {{ s.state }}">{{ s.shown }}</span></td>
<td data-said="{{ w.who }}">{{ s.who }}</td><td class="until" data-said="{{ w.until }}">{{ s.until }}</td><td class="reason" data-said="{{ w.reason }}">{{ s.reason }}</td></tr>
{% endfor %}</table></div>
{% if a.ended %}<p><strong>{{ a.ended }}</strong></p>{% endif %}
<p class="steps">{% if a.number > 1 %}<a href="#act-{{ a.number - 1 }}" rel="prev">{{ w.back }}</a>{% else %}<span></span>{% endif %}
{% if not loop.last %}<a href="#act-{{ a.number + 1 }}" rel="next">{{ w.next }}</a>{% endif %}</p>
</section>
{% endfor %}
</body></html>
"""

WORDS = {
    "en": {
        "acts": "Acts", "slot": "Slot", "state": "State", "who": "Waits on", "until": "Until", "reason": "Because of",
        "back": "← back", "next": "next →", "closed": "The case is closed.",
        "withdrawn": "The case was withdrawn.",
    },
    "fa": {
        "acts": "کنش‌ها", "slot": "جایگاه", "state": "وضعیت", "who": "در انتظارِ", "until": "تا", "reason": "به سبب",
        "back": "→ قبلی", "next": "بعدی ←", "closed": "پرونده بسته شد.",
        "withdrawn": "از پرونده انصراف داده شد.",
    },
}  # fmt: skip
STATES_FA = {
    "due": "سررسید", "overdue": "گذشته از مهلت", "blocked": "در انتظار", "unknown": "نامعلوم", "issued": "صادر شده",
    "returned": "برگشتی", "refused": "رد شده", "doubtful": "محل تردید", "not-applicable": "بی‌موضوع",
}  # fmt: skip
SAID = {
    "en": {
        "issues": "{by} issues “{what}”", "corrects": "{by} corrects “{what}”", "confirms": "{by} confirms “{what}”",
        "withdraws": "{by} withdraws “{what}”", "revokes": "{by} revokes “{what}”", "signs": "{by} signs “{what}”",
        "withdraws_case": "{by} withdraws from the case", "sends": "“{what}” is sent",
        "forges": "“{what}” is sent forged", "waits": "{what} pass", "looks": "A look at the case",
        "rotates_key": "{what} changes its key", "revokes_key": "the key of {what} is revoked",
    },
    "fa": {
        "issues": "{by}: «{what}»", "corrects": "{by} «{what}» را اصلاح می‌کند",
        "confirms": "{by} «{what}» را دوباره تأیید می‌کند", "withdraws": "{by} «{what}» را پس می‌گیرد",
        "revokes": "{by} «{what}» را ابطال می‌کند", "signs": "{by} «{what}» را امضا می‌کند",
        "withdraws_case": "{by} از پرونده انصراف می‌دهد", "sends": "«{what}» فرستاده می‌شود",
        "forges": "«{what}» دست‌کاری‌شده فرستاده می‌شود", "waits": "{what} می‌گذرد", "looks": "نگاهی به پرونده",
        "rotates_key": "{what} کلید خود را عوض می‌کند", "revokes_key": "کلید {what} باطل می‌شود",
    },
}  # fmt: skip
BY_CLOCK = {
    "en": {
        "escalate": "“{slot}” is escalated: its term has passed", "deem": "“{slot}” is decided by silence",
        "lapse": "“{slot}” lapses: its term has passed", "reuse": "“{slot}” is served by a document of another case",
    },
    "fa": {
        "escalate": "مهلت «{slot}» گذشت و ارجاع شد", "deem": "«{slot}» با سکوت تعیین تکلیف شد",
        "lapse": "مهلت «{slot}» گذشت و رد شده به شمار آمد", "reuse": "سندی از پرونده‌ی دیگر برای «{slot}» به کار رفت",
    },
}  # fmt: skip

_environment = Environment(loader=DictLoader({"page": PAGE}), autoescape=select_autoescape(default=True))


def page(worked: WorkedCase, acts: list[Row], lang: str, titles: dict[str, str]) -> str:
    """The page for acts as `gardesh pack play --json` prints them. `titles` are of the steps and roles, in that
    language."""
    title = worked.title.fa if lang == "fa" else worked.title.en
    about = (worked.description.fa if lang == "fa" else worked.description.en) if worked.description else ""
    names = dict(titles)
    for org, party in worked.parties.items():
        name = getattr(party, "name", None)
        if name is not None:
            names[org] = name.fa if lang == "fa" else name.en
    rows = [_act(a, worked, lang, names) for a in acts]
    return _environment.get_template("page").render(
        lang=lang, title=title, about=about, acts=rows, w=WORDS[lang]
    )


def _act(act: Row, worked: WorkedCase, lang: str, names: dict[str, str]) -> Row:
    slots = []
    for name, row in act["slots"].items():
        slots.append(
            {
                "slot": name,
                "title": named(name, names),
                "state": row["state"],
                "shown": STATES_FA[row["state"]] if lang == "fa" else row["state"],
                "demanded": row["demanded"],
                "who": _who(row, names) if row["demanded"] else "",
                "until": _until(row["deadline"], worked, lang),
                "reason": ("، " if lang == "fa" else ", ").join(named(r, names) for r in row["reason"]),
            }
        )
    return {
        "number": act["act"],
        "shown_number": persian_digits(str(act["act"])) if lang == "fa" else act["act"],
        "said": said(act, lang, names),
        "ended": WORDS[lang].get(act["status"] or "", ""),
        "at": moment(act["at"], worked, lang),
        "accepted": act["accepted"],
        "code": act["code"],
        "message": act["message"][lang] if act["message"] else "",
        "clock": [
            f"{by_clock(c, lang, names, act['case'])} ({moment(c['at'], worked, lang)})"
            for c in act["by_clock"]
        ],
        "failures": act["failures"],
        "slots": slots,
    }


def said(act: Row, lang: str, names: dict[str, str]) -> str:
    """An act in words: who does what."""
    what = act["what"]
    if act["verb"] == "waits":
        what = Term.parse(what).text(lang) if not what.startswith("setting:") else what[8:]
    elif act["verb"] not in ("sends", "forges"):
        what = named(f"{what}:{act['key']}" if act["key"] else what, names)
    return SAID[lang][act["verb"]].format(by=names.get(act["by"] or "", act["by"] or ""), what=what).strip()


def by_clock(row: Row, lang: str, names: dict[str, str], case: str) -> str:
    """What the clock recorded, in words; of another case than the act's, with its name."""
    told = BY_CLOCK[lang][row["act"]].format(slot=named(row["slot"], names))
    return told if row["case"] == case else f"{row['case'][:12]}: {told}"


def _who(row: Row, names: dict[str, str]) -> str:
    found = row.get("returned_to") or row["by"] or row["role"] or ""
    return names.get(found, found)


def named(slot: str, names: dict[str, str]) -> str:
    """The title of a slot's step, and its key."""
    step, _, key = slot.partition(":")
    title = names.get(step, step)
    return f"{title} ({names.get(key, key)})" if key else title


def _until(ms: int | None, worked: WorkedCase, lang: str) -> str:
    return "" if ms is None else moment(ms, worked, lang)


def moment(ms: int, worked: WorkedCase, lang: str) -> str:
    """An instant to the minute: in English in the zone that the case's start is written in; in Persian, Jalali."""
    if lang == "fa":
        return jalali(ms)
    zone = datetime.fromisoformat(worked.start).tzinfo or UTC
    return f"{datetime.fromtimestamp(ms / 1000, zone):%Y-%m-%d %H:%M}"
