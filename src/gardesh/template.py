"""`gardesh pack new`: a small pack that lints and plays from the first moment."""

from __future__ import annotations

import re
from pathlib import Path

from gardesh.model.problem import Problem, define

NAME_UNUSABLE = define(
    "pack-name-unusable",
    422,
    en="{name} cannot name a pack: write lower-case letters, digits and single hyphens.",
    fa="{name} نمی‌تواند نام بسته باشد: حروف کوچک لاتین، رقم و خط تیره‌ی تکی بنویسید.",
)
FOLDER_TAKEN = define(
    "folder-taken",
    409,
    en="There is already something in {folder}.",
    fa="در {folder} پیش‌تر چیزی هست.",
)

FILES = {
    "pack.yaml": """\
pack: {name}
version: 1.0.0
title: {{fa: بسته‌ی {name}, en: The {name} pack}}
requires: {{core: 1.0.0}}
calendar: core/iran
roles:
  applicant: {{title: {{fa: متقاضی, en: Applicant}}, kind: person}}
  office: {{title: {{fa: اداره, en: Office}}}}
settings:
  answer-term:
    title: {{fa: مهلت پاسخ, en: Term of the answer}}
    values: [{{since: 2026-01-01, value: 3wd, assumed: an example}}]
""",
    "documents/request.yaml": """\
document: request
title: {{fa: درخواست, en: Request}}
schema:
  type: object
  additionalProperties: false
  required: [applicant, wish]
  properties:
    applicant: {{type: string, format: ir-national-code, title: {{fa: کد ملی متقاضی, en: Applicant's national code}}}}
    wish: {{type: string, maxLength: 200, title: {{fa: خواسته, en: Wish}}}}
about: this.applicant
""",
    "documents/answer.yaml": """\
document: answer
title: {{fa: پاسخ, en: Answer}}
schema:
  type: object
  additionalProperties: false
  properties:
    reason: {{type: string, maxLength: 500, title: {{fa: دلیل, en: Reason}}}}
""",
    "procedures/request.yaml": """\
procedure: request
title: {{fa: رسیدگی به درخواست, en: A request answered}}
opens_with: request
closes_with: answer
withdrawal: {{until: answer}}
steps:
  request: {{by: applicant}}
  answer: {{by: office, needs: [{{request: [wish]}}], within: setting:answer-term, decides: true}}
""",
    "cases/answered.yaml": """\
case: answered
title: {{fa: پاسخ پس از رفع نقص, en: Answered after a deficiency}}
description:
  fa: درخواست ناقص برمی‌گردد، متقاضی آن را کامل می‌کند و اداره تأیید می‌کند.
  en: An incomplete request is returned, the applicant completes it, and the office approves.
start: 2026-01-03T08:00:00+03:30
procedure: request
parties: {{sara: applicant, city: office}}
acts:
  - {{by: sara, issues: request, subject: {{applicant: "0499370899", wish: a}}, then: {{due: [answer]}}}}
  - by: city
    issues: answer
    after: 1d
    outcome: deficient
    subject: {{}}
    deficiencies: [{{step: request, field: /wish, reason: {{fa: روشن نیست, en: it is not clear}}}}]
    then: {{states: {{answer: returned}}}}
  - {{by: sara, corrects: request, after: 1d, change: {{wish: a bench in the park}}, then: {{due: [answer]}}}}
  - {{by: city, issues: answer, after: 1d, outcome: approved, subject: {{}}, then: {{case: closed}}}}
""",
    "README.md": """\
# {name}

What is modelled, from which public source, and what is assumed.
""",
}


def write(name: str, folder: Path) -> Path:
    """Write the pack into `folder`/`name`. Raises `pack-name-unusable`, `folder-taken`."""
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name) or len(name) > 64:
        raise Problem(NAME_UNUSABLE, name=name)
    root = folder / name
    if root.exists() and any(root.iterdir()):
        raise Problem(FOLDER_TAKEN, folder=str(root))
    for path, text in FILES.items():
        place = root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text.format(name=name), encoding="utf-8")
    return root
