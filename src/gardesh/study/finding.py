"""What lint finds: a level, a code, a place, and a sentence in both languages."""

from __future__ import annotations

from dataclasses import dataclass

MESSAGES: dict[str, tuple[str, str, str]] = {
    "unneeded-step": (
        "error",
        "Nothing ever needs or reads step {step}: a paper that nobody reads.",
        "هیچ گامی به {step} نیاز ندارد و آن را نمی‌خواند: کاغذی که کسی نمی‌خواند.",
    ),
    "goal-not-reached": (
        "warning",
        "The goal does not depend on step {step}; it is made optional or it holds nobody back.",
        "هدف به گام {step} وابسته نیست.",
    ),
    "open-ended-many": (
        "error",
        "Step {step} takes any number without a window (`within`), yet {by} needs or reads it: it is never complete.",
        "گام {step} بی‌پنجره (`within`) هر شمار سند می‌پذیرد ولی {by} به آن نیاز دارد: هیچ‌گاه کامل نمی‌شود.",
    ),
    "opens-at-opening": (
        "error",
        "The opening step {step} cannot open another case.",
        "گام آغازین {step} نمی‌تواند پرونده‌ی دیگری بگشاید.",
    ),
    "silence-without-term": (
        "error",
        "Step {step} says what silence means but has no term (`within`).",
        "گام {step} معنای سکوت را می‌گوید ولی مهلت (`within`) ندارد.",
    ),
    "silence-unclear": (
        "error",
        "`on_silence` of step {step} must say exactly one of escalate, deemed, lapse.",
        "`on_silence` در گام {step} باید دقیقاً یکی از escalate، deemed، lapse باشد.",
    ),
    "nobody-can-issue": (
        "error",
        "Nobody can issue {step}: who plays {role} is named by {names}, which waits for it.",
        "هیچ‌کس نمی‌تواند {step} را صادر کند: دارنده‌ی نقش {role} در {names} نام برده می‌شود که خود در انتظار آن است.",
    ),
    "never-credited": (
        "error",
        "Nothing adds to the balance {register}, and something takes from it: it would always be refused.",
        "چیزی به مانده‌ی {register} افزوده نمی‌شود و از آن برداشت می‌شود؛ هر برداشتی رد خواهد شد.",
    ),
    "no-value-possible": (
        "error",
        "No value can follow this schema: {reason}.",
        "هیچ مقداری از این طرح‌واره پیروی نمی‌کند: {reason}.",
    ),
    "term-outlives-need": (
        "warning",
        "{step} may take longer than {below} is valid: it can expire before it is used.",
        "{step} می‌تواند از اعتبار {below} بیشتر طول بکشد؛ پیش از استفاده بی‌اعتبار می‌شود.",
    ),
    "check-failed": ("error", "From {since} on: {message}", "از {since}: {message_fa}"),
    "check-broken": (
        "error",
        "The check cannot be evaluated over settings alone: {reason}",
        "این وارسی تنها با تنظیم‌ها سنجیدنی نیست: {reason_fa}",
    ),
    "private-in-public": (
        "error",
        "{path} is private and is entered in the public register {register}.",
        "{path} خصوصی است و در دفتر همگانی {register} ثبت می‌شود.",
    ),
    "private-too-deep": (
        "error",
        "Only whole fields of a subject are kept out of the public register: mark the field that holds this one.",
        "تنها فیلدهای یک سند به‌تمامی از دفتر همگانی بیرون می‌مانند؛ فیلد دربرگیرنده را نشان کنید.",
    ),
    "no-such-role": ("error", "There is no role {role}.", "نقشی به نام {role} نیست."),
    "no-such-step": ("error", "There is no step {step}.", "گامی به نام {step} نیست."),
    "no-such-format": (
        "error",
        "There is no format {format}: nothing would be checked.",
        "قالبی به نام {format} نیست و چیزی وارسی نمی‌شود.",
    ),
    "no-subject-known": (
        "error",
        "The field {path} is `once-only`, but the document does not say whom it is `about`: nothing can be looked up.",
        "فیلد {path} یک‌باره (`once-only`) است ولی سند نمی‌گوید درباره‌ی کیست (`about`)؛ چیزی را نمی‌توان یافت.",
    ),
    "no-term": (
        "error",
        "The setting {name} is used as a term, but {value} is none.",
        "تنظیم {name} به جای مهلت به کار رفته ولی {value} مهلت نیست.",
    ),
    "not-a-receipt": (
        "error",
        "The step {step} is to be the receipt of a fee, but makes {type} and not core/payment-receipt.",
        "گام {step} باید رسید کارمزد باشد ولی سندش {type} است، نه core/payment-receipt.",
    ),
    "fee-unchecked": (
        "warning",
        "No rule of {step} or {payment} reads `register('core/tariffs', '{item}')`: a receipt of any amount would do.",
        "هیچ قاعده‌ای از {step} یا {payment} مقدار `register('core/tariffs', '{item}')` را نمی‌خواند؛ رسید هر مبلغی پذیرفته می‌شود.",
    ),
    "reads-a-list": (
        "error",
        "It reads {path}, but {step} has several documents: it is a list. Use exists, all, map or filter.",
        "{path} خوانده شده ولی {step} چند سند دارد و فهرست است؛ exists، all، map یا filter به کار ببرید.",
    ),
    "deemed-outcome": (
        "error",
        "Step {step} is deemed {outcome} by silence, but does not decide that outcome.",
        "گام {step} با سکوت {outcome} فرض می‌شود ولی چنین نتیجه‌ای ندارد.",
    ),
    "deemed-subject": (
        "error",
        "The subject deemed at {step} does not follow the document's schema: {reason}.",
        "محتوای فرضی گام {step} با طرح‌واره‌ی سند نمی‌خواند: {reason}.",
    ),
    "working-term-without-calendar": (
        "error",
        "Step {step} has a term in working time, but neither it nor the pack names a calendar.",
        "گام {step} مهلتی به وقت اداری دارد ولی تقویمی نام برده نشده است.",
    ),
    "no-such-field": (
        "error",
        "It reads {path}, but the document {type} has no such field.",
        "فیلد {path} خوانده شده ولی سند {type} چنین فیلدی ندارد.",
    ),
    "reads-beyond-parts": (
        "error",
        "It reads {path}, which is outside the parts that the step needs.",
        "فیلد {path} خوانده شده که بیرون از بخش‌های مورد نیاز گام است.",
    ),
    "no-such-name": (
        "error",
        "It names the {kind} {name}, which does not exist.",
        "{kind_fa} به نام {name} نیست.",
    ),
    "unused-document": (
        "warning",
        "No step of this pack makes a document of type {type}.",
        "هیچ گامی در این بسته سند {type} را نمی‌سازد.",
    ),
    "unsourced": (
        "warning",
        "It says neither its source nor that it is assumed.",
        "نه منبع خود را می‌گوید و نه فرضی بودن را.",
    ),
    "untitled-field": (
        "warning",
        "The field {path} of {type} has no title in both languages.",
        "فیلد {path} در {type} عنوان دوزبانه ندارد.",
    ),
    "reserved-field": (
        "error",
        "The field {path} of {type} has a name that expressions keep for themselves.",
        "نام فیلد {path} در {type} برای عبارت‌ها نگه داشته شده است.",
    ),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to mend. `place` is a pointer: `/<file>/<where>`."""

    level: str
    code: str
    place: str
    en: str
    fa: str
