"""What the HTTP API takes and gives, as types: one source for the node, the client and the published description.

Digests are SHA-256 in lower-case hex; instants are ISO 8601 in UTC; amounts are decimal texts. A member that does not
apply is null.
"""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType, field

Hex = Annotated[str, Meta(pattern="^[0-9a-f]{64}$", description="A SHA-256 digest in hex.")]


class Texts(Struct):
    """One sentence in both languages."""

    en: str
    fa: str


class ProblemDetails(Struct, omit_defaults=True):
    """A refusal (RFC 9457). `detail` is in the language that Accept-Language asks for, `sentences` has both."""

    type: Annotated[str, Meta(description="urn:gardesh:problem:<code>, or of a pack's own rule.")]
    status: int
    code: Annotated[str, Meta(description="Stable. The reference lists them all; packs have their own.")]
    detail: str
    sentences: Texts
    pointer: Annotated[str, Meta(description="RFC 6901, into what was sent; empty: all of it.")] = ""
    params: dict[str, Any] = {}
    hint: str | None = None
    hints: Texts | None = None
    instance: Annotated[str | None, Meta(description="Names this answer; it is in the node's own log.")] = (
        None
    )


class Accepted(Struct):
    """An accepted document: durable, and under a signed checkpoint."""

    digest: Hex
    position: int
    recorded_at: str
    case: Hex
    receipt: Annotated[str, Meta(description="A C2SP tlog-proof with the signed checkpoint.")]


class BundleItem(Struct, omit_defaults=True):
    """What became of one document of a bundle: either it was accepted, or there is a problem. `proof`: the hashes of the
    inclusion proof (base64), under the bundle's checkpoint."""

    digest: Hex | None = None
    position: int | None = None
    recorded_at: str | None = None
    case: Hex | None = None
    proof: list[bytes] | None = None
    problem: ProblemDetails | None = None


class BundleAnswer(Struct):
    """Answers in the order of the documents. `checkpoint` is empty when none was accepted."""

    checkpoint: str
    answers: list[BundleItem]


class Described(Struct):
    """A document without its contents. `fields`: those that the caller may read; null for all."""

    digest: Hex
    position: int
    recorded_at: str
    case: Hex
    type: str
    issuer: str
    step: str
    key: str | None
    act: str
    fields: list[str] | None


class Documents(Struct):
    """A page of documents. `next` is the cursor of the next page; null when this is the last."""

    documents: list[Described]
    next: str | None


class Read(Struct):
    """One reading of a document."""

    at: str
    reader: str
    fields: Annotated[str, Meta(description="`*` for all, else names parted by commas.")]
    purpose: str


class Readers(Struct):
    """A page of who read a document, the oldest first."""

    readers: list[Read]
    next: str | None


class CaseRow(Struct):
    """A case in a list."""

    case: Hex
    procedure: str
    opener: str
    opened_at: str
    closed_at: str | None
    status: Annotated[str, Meta(description="open, closed or withdrawn.")]


class Cases(Struct):
    """A page of cases, the newest first."""

    cases: list[CaseRow]
    next: str | None


class Deficiency(Struct, omit_defaults=True):
    """What was found wrong in a document, and where."""

    step: str
    field: str = ""
    key: str | None = None
    reason: dict[str, str] | None = None


class Wait(Struct, omit_defaults=True):
    """A slot that a case waits for. `by`: the organisation that is bound to the role, if one is."""

    slot: str
    step: str
    key: str
    state: str
    role: str | None
    by: str | None
    since: str
    deadline: str | None
    waits_on: list[Any]
    window: bool = False
    head: str | None = None
    deficiencies: list[Deficiency] | None = None
    returned_to: str | None = None
    from_: str | None = field(default=None, name="from")
    shown_above: bool = False


class Plan(Struct):
    """What can be issued now and by whom; what was returned; what is not known yet. `more`: how many slots of a step wait
    beside those shown. `at`: until when time has been told for the case."""

    case: Hex
    status: str
    at: str
    due: list[Wait]
    returned: list[Wait]
    unknown: list[Wait]
    more: dict[str, int]


class Piece(Struct):
    """A piece of the time of a closed case, and whose it was."""

    since: str
    until: str
    office: str
    slot: str
    act: str
    kind: str
    working_ms: int
    resting_ms: int


class Why(Struct):
    """The chain of waits from the goal down; of a closed case, the critical path."""

    case: Hex
    status: str
    at: str
    goal: Annotated[list[Wait], Meta(description="`waits_on` holds the waits below, each of the same form.")]
    more: dict[str, int]
    critical_path: list[Piece] | None


class Slot(Struct):
    """A slot of a case and its newest document."""

    step: str
    key: str
    state: str
    head: str | None
    at: str | None


class Case(Struct):
    """A case and its slots."""

    case: Hex
    pack: str
    procedure: str
    opener: str
    opened_at: str
    closed_at: str | None
    status: str
    at: str
    slots: list[Slot]


class Work(Struct):
    """Something that waits on the caller."""

    case: Hex
    slot: str
    state: str
    role: str
    by: str | None
    since: str
    deadline: str | None
    procedure: str


class Worklist(Struct):
    """A page of what waits on the caller, by deadline."""

    work: list[Work]
    next: str | None


class Entry(Struct, omit_defaults=True):
    """What a register holds under a key: a value, or a balance."""

    register: str
    key: str
    document: Hex
    position: int
    since: Annotated[
        str,
        Meta(
            description="When it came in force: as the document says, else when that was recorded. Of a balance, since when "
            "it has been what it is."
        ),
    ]
    until: str | None
    value: Any | UnsetType = UNSET
    balance: str | UnsetType = UNSET


class Entries(Struct):
    """A page of what a register holds in force, in the order of the keys. `next` is the cursor of the next page; null when
    this is the last."""

    entries: list[Entry]
    next: str | None


class Notice(Struct):
    """What an organisation is told. `reason`: `act` (the slot waits for it), `read` (a document that it may read stands in
    the slot), `gone` (that document no longer counts). `id` is stable, and grows with the log."""

    id: int
    at: str
    case: Hex
    reason: str
    slot: str
    state: str
    deadline: str | None
    document: Hex | None
    type: str | None
    issuer: str | None


class Notices(Struct):
    """Notices, the oldest first. `upto`: what to acknowledge once they are dealt with, and where to read on."""

    notices: list[Notice]
    upto: int
    more: bool


class Ack(Struct, forbid_unknown_fields=True):
    """All notices up to this one were dealt with."""

    upto: Annotated[int, Meta(ge=-1, le=(1 << 63) - 1)]
    consumer: Annotated[str, Meta(pattern="^[a-z0-9][a-z0-9-]{0,62}$")] = "default"


class Acked(Struct):
    """Where a consumer stands."""

    consumer: str
    acked: int


class WebhookWanted(Struct, forbid_unknown_fields=True):
    """Where notices are to be sent. `roles`: those to be told of in; null for all that are held at the time."""

    url: Annotated[str, Meta(max_length=2000)]
    roles: list[str] | None = None


class Webhook(Struct):
    """A webhook, and how its last attempt went. `state`: active or paused."""

    id: str
    url: str
    roles: list[str] | None
    created_at: str
    acked: int
    state: str
    attempts: int
    next_at: str | None
    said: str | None


class NewWebhook(Struct):
    """A webhook that was made, with its secret (Standard Webhooks)."""

    id: str
    url: str
    roles: list[str] | None
    created_at: str
    acked: int
    state: str
    attempts: int
    next_at: str | None
    said: str | None
    secret: str


class Webhooks(Struct):
    """Webhooks."""

    webhooks: list[Webhook]


class Resume(Struct, forbid_unknown_fields=True):
    """From where on notices are sent; null: from where it stopped."""

    after: Annotated[int, Meta(ge=-1, le=(1 << 63) - 1)] | None = None


class Delivery(Struct):
    """One attempt to deliver notices."""

    at: str
    first: int
    last: int
    outcome: str
    said: Annotated[str | None, Meta(description="What was answered: a status, or why nothing was.")] = None


class Deliveries(Struct):
    """Attempts, the newest first."""

    deliveries: list[Delivery]
    next: str | None = None


class SlotName(Struct, forbid_unknown_fields=True):
    """A slot of a case. `log`: the origin of the log on which the case lives, if that is another node's."""

    case: Hex
    step: str
    key: str = ""
    log: str = ""


class Attachment(Struct, forbid_unknown_fields=True):
    """An attachment that was uploaded."""

    digest: Hex
    size: Annotated[int, Meta(ge=0)]
    media_type: Annotated[str, Meta(max_length=200)]
    name: Annotated[str, Meta(max_length=255)] | None = None


class DraftWanted(Struct, forbid_unknown_fields=True):
    """Which document is to be drafted: one of `case`, or the one that opens a case of `procedure` (pack/procedure)."""

    step: str
    case: Hex | None = None
    procedure: str | None = None
    key: str = ""
    act: str = "issue"
    outcome: str | None = None
    reach: Annotated[str | None, Meta(description="Of a revocation: start or now.")] = None
    deficiencies: list[Deficiency] | None = None
    valid_until: str | None = None
    for_slot: SlotName | None = None
    attachments: list[Attachment] | None = None


class Draft(Struct):
    """Claims to be signed, resting on the case as it stands now; and which parts are disclosures of their own."""

    claims: dict[str, Any]
    disclosable: list[str] | None
    schema: Annotated[Any, Meta(description="JSON Schema of the subject, or null where the type has none.")]


class Upload(Struct):
    """An upload: how much of it is here, and once it is whole, what it is."""

    id: str
    offset: int
    digest: str | None


class Token(Struct):
    """An access token (RFC 6749 §5.1)."""

    access_token: str
    token_type: str
    expires_in: int
    scope: str


class ClockKey(Struct):
    """The key that a node's clock signs with, and its requests to other nodes."""

    kid: str
    jwk: dict[str, str]


class NodeInfo(Struct):
    """What a node is. `genesis`: the digest of the first document on its log. `log_keys`: C2SP verifier keys, for the
    checkpoints."""

    origin: str
    genesis: Hex
    clock: ClockKey
    log_keys: list[str]
    size: int
    packs: list[str]
    version: str


class Health(Struct):
    """Whether the node works."""

    status: str
    size: int | None = None
    waiting: int | None = None
