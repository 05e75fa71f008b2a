"""A page that steps through a played case: no scripts, no network, both languages, printable."""

from __future__ import annotations

from typing import Any

from jinja2 import DictLoader, Environment, select_autoescape

from gardesh.model.calendar import iso, jalali
from gardesh.model.identifiers import persian_digits
from gardesh.worked import WorkedCase

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
td, th { padding: .2rem .6rem .2rem 0; border-bottom: 1px solid var(--line); vertical-align: top }
.scroll { overflow-x: auto } code { font-size: .85em; direction: ltr; unicode-bidi: isolate }
.tag { border-radius: 1rem; padding: 0 .6rem; font-size: .85rem; white-space: nowrap; background: var(--soft) }
.issued { background: #2a83; } .due, .overdue { background: #fb05 } .returned, .refused { background: #d445 }
.doubtful { background: #a5d4 } .refusal { color: #b30 } .now td { font-weight: 600 } .quiet { opacity: .65 }
.steps { display: flex; justify-content: space-between }
@media (max-width: 40rem) { nav ol { columns: 1 } }
@media print { nav, .steps { display: none } section { break-inside: avoid } }
</style>
</head>
<body>
<h1>{{ title }}</h1>
{% if about %}<p class="about">{{ about }}</p>{% endif %}
<nav aria-label="{{ w.acts }}"><ol>
{% for a in acts %}<li><a href="#act-{{ a.number }}">{{ a.by }} {{ a.said }}{% if not a.accepted %} ✗{% endif %}</a></li>
{% endfor %}</ol></nav>
{% for a in acts %}
<section id="act-{{ a.number }}">
<h2>{{ a.shown_number }}. {{ a.by }} {{ a.said }}</h2>
<p><span class="quiet">{{ a.at }}</span>
{% if a.accepted %}✓{% else %}<span class="refusal">✗ <code>{{ a.code }}</code> {{ a.message }}</span>{% endif %}</p>
{% for c in a.clock %}<p>⏱ {{ c }}</p>{% endfor %}
{% for f in a.failures %}<p class="refusal">{{ f }}</p>{% endfor %}
<div class="scroll"><table>
<tr><th>{{ w.slot }}</th><th>{{ w.state }}</th><th>{{ w.who }}</th><th>{{ w.until }}</th><th>{{ w.reason }}</th></tr>
{% for s in a.slots %}<tr{% if s.demanded and not s.reason %} class="now"{% elif s.state == 'not-applicable' %} class="quiet"{% endif %}>
<td>{{ s.title }}<br><code class="quiet">{{ s.slot }}</code></td><td><span class="tag {{ s.state }}">{{ s.shown }}</span></td>
<td>{{ s.who }}</td><td>{{ s.until }}</td><td>{{ s.reason }}</td></tr>
{% endfor %}</table></div>
<p class="steps">{% if a.number > 1 %}<a href="#act-{{ a.number - 1 }}" rel="prev">{{ w.back }}</a>{% else %}<span></span>{% endif %}
{% if not loop.last %}<a href="#act-{{ a.number + 1 }}" rel="next">{{ w.next }}</a>{% endif %}</p>
</section>
{% endfor %}
</body></html>
"""

WORDS = {
    "en": {
        "acts": "Acts", "slot": "Slot", "state": "State", "who": "Waits on", "until": "Until", "reason": "Because of",
        "back": "← back", "next": "next →", "silence": "silence",
    },
    "fa": {
        "acts": "کنش‌ها", "slot": "جایگاه", "state": "وضعیت", "who": "در انتظارِ", "until": "تا", "reason": "به سبب",
        "back": "→ پیشین", "next": "پسین ←", "silence": "سکوت",
    },
}  # fmt: skip
STATES_FA = {
    "due": "سررسید", "overdue": "گذشته از مهلت", "blocked": "در انتظار", "unknown": "نامعلوم", "issued": "صادر شده",
    "returned": "برگشتی", "refused": "رد شده", "doubtful": "محل تردید", "not-applicable": "بی‌موضوع",
}  # fmt: skip
VERBS_FA = {
    "issues": "صادر می‌کند", "corrects": "اصلاح می‌کند", "confirms": "تأیید دوباره می‌کند", "withdraws": "پس می‌گیرد",
    "revokes": "ابطال می‌کند", "withdraws_case": "از پرونده انصراف می‌دهد", "signs": "امضا می‌کند", "sends": "می‌فرستد",
    "forges": "جعل می‌شود", "waits": "زمان می‌گذرد", "looks": "نگاه", "rotates_key": "کلید عوض می‌کند",
    "revokes_key": "کلید باطل می‌شود",
}  # fmt: skip

_environment = Environment(loader=DictLoader({"page": PAGE}), autoescape=select_autoescape(default=True))


def page(worked: WorkedCase, acts: list[dict[str, Any]], lang: str, titles: dict[str, str]) -> str:
    """The page for acts as `gardesh pack play --json` prints them. `titles` are of the steps, in that language."""
    title = worked.title.fa if lang == "fa" else worked.title.en
    about = (worked.description.fa if lang == "fa" else worked.description.en) if worked.description else ""
    names = dict(titles)
    for org, party in worked.parties.items():
        name = getattr(party, "name", None)
        if name is not None:
            names[org] = name.fa if lang == "fa" else name.en
    rows = [_act(a, lang, names) for a in acts]
    return _environment.get_template("page").render(
        lang=lang, title=title, about=about, acts=rows, w=WORDS[lang]
    )


def _act(act: dict[str, Any], lang: str, names: dict[str, str]) -> dict[str, Any]:
    verb = VERBS_FA.get(act["verb"], act["verb"]) if lang == "fa" else act["verb"].replace("_", " ")
    what = _named(f"{act['what']}:{act['key']}" if act["key"] else act["what"], names)
    slots = []
    for name, row in act["slots"].items():
        slots.append(
            {
                "slot": name,
                "title": _named(name, names),
                "state": row["state"],
                "shown": STATES_FA[row["state"]] if lang == "fa" else row["state"],
                "demanded": row["demanded"],
                "who": names.get(row["by"] or "", row["by"] or row["role"] or "") if row["demanded"] else "",
                "until": _when(row["deadline"], lang),
                "reason": ("، " if lang == "fa" else ", ").join(_named(r, names) for r in row["reason"]),
            }
        )
    return {
        "number": act["act"],
        "shown_number": persian_digits(str(act["act"])) if lang == "fa" else act["act"],
        "by": names.get(act["by"] or "", act["by"] or ""),
        "said": f"{what} {verb}" if lang == "fa" else f"{verb} {what}",
        "at": _when(act["at"], lang),
        "accepted": act["accepted"],
        "code": act["code"],
        "message": act["message"][lang] if act["message"] else "",
        "clock": [
            f"{WORDS[lang]['silence']}: {_named(c['slot'], names)} → {c['act']} ({_when(c['at'], lang)})"
            for c in act["by_clock"]
        ],
        "failures": act["failures"],
        "slots": slots,
    }


def _named(slot: str, names: dict[str, str]) -> str:
    """The title of a slot's step, and its key."""
    step, _, key = slot.partition(":")
    title = names.get(step, step)
    return f"{title} ({names.get(key, key)})" if key else title


def _when(ms: int | None, lang: str) -> str:
    if ms is None:
        return ""
    return jalali(ms) if lang == "fa" else iso(ms)
