"""Making a node and writing to it: init, keys, admit, adopt, sign, submit, tick."""

from __future__ import annotations

import mimetypes
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from gardesh import draft as drafting
from gardesh.cli import output
from gardesh.cli.files import FILE_UNREADABLE, read_file
from gardesh.cli.home import CLOCK_KEY, LOG_KEY, blobs, home, keys, make_store, open_node, place_for
from gardesh.cli.home import now as clock
from gardesh.cli.signed_file import Cose, give
from gardesh.intake import Accepted
from gardesh.model import canonical
from gardesh.model.calendar import parse_instant
from gardesh.model.document import attachment
from gardesh.model.jose import PublicKey, thumbprint
from gardesh.model.os_reason import of_os
from gardesh.model.problem import Problem, define
from gardesh.node import Node
from gardesh.record import folder
from gardesh.record.keys import KeyStore
from gardesh.record.passphrase import OnePassphrase
from gardesh.record.views import Views

NO_SUCH_ROLE = define(
    "no-such-role",
    404,
    en="No pack here has the role {role}; there are: {roles}.",
    fa="هیچ بسته‌ای در اینجا نقش {role} را ندارد؛ نقش‌های موجود: {roles}.",
)
keys_app = typer.Typer(no_args_is_help=True, help="Make and list the signing keys of this machine.")
At = Annotated[
    str | None, typer.Option("--at", help="The instant to record (ISO 8601), never before the last one.")
]


def init(
    steward: Annotated[str, typer.Option("--steward", help="The steward's organisation name.")] = "steward",
    origin: Annotated[
        str, typer.Option("--origin", help="The log's origin, a name without a scheme.")
    ] = "localhost/gardesh",
    pack: Annotated[
        list[Path] | None, typer.Option("--pack", help="Pack folders; default: all that ship.")
    ] = None,
    store: Annotated[
        str | None,
        typer.Option(
            "--store",
            metavar="URL",
            help="Keep the record in a PostgreSQL database, postgresql://USER@HOST/DATABASE; the node's folder keeps the"
            " URL. The password is better in PGPASSFILE or PGPASSWORD. Default: node.sqlite in that folder.",
        ),
    ] = None,
    at: At = None,
) -> None:
    """Make a node: its keys, its record, and the genesis that names the steward, its key and the packs."""
    roots = pack or sorted(p.parent for p in folder.shipped().glob("*/pack.yaml"))
    found = {made.name: made for root in roots for made in folder.gather(root)}
    place = place_for(store)
    held = keys(fresh=True)
    log_keys = held.create_log(LOG_KEY)
    own, ticking, record_key = held.create(steward), held.create(CLOCK_KEY, "EdDSA"), held.create_record()
    record = make_store(place)
    node = Node.create(
        record,
        [found["core"], *(m for n, m in found.items() if n != "core")],
        origin=origin,
        signers=log_keys.signers(origin),
        clock=(CLOCK_KEY, ticking),
        steward=(steward, own),
        steward_name={"fa": steward, "en": steward},
        record_keys=lambda: [record_key],
        now=clock(at),
    )
    labels = sorted(node.library.packs)
    if output.as_json():
        output.emit(
            {
                "home": str(home()),
                "store": record.url,
                "origin": origin,
                "steward": steward,
                "packs": labels,
                "log_keys": vkeys(node),
            }
        )
    output.say(
        "A node in {h}: log {o}, steward {s}, packs {p}.",
        "گرهی در {h}: دفتر {o}، راهبر {s}، بسته‌ها {p}.",
        h=str(home()),
        o=origin,
        s=steward,
        p=", ".join(labels),
    )
    output.say(
        "Keys of its log, for those who verify: `gardesh log key`.",
        "کلیدهای دفتر آن، برای وارسی‌کنندگان: «gardesh log key».",
    )
    node.close()


def vkeys(node: Node) -> list[str]:
    return node.log.vkeys


@keys_app.command("new")
def new_key(
    name: Annotated[str, typer.Argument(help="The organisation.")],
    alg: Annotated[str, typer.Option("--alg", help="ES256 (P-256) or EdDSA (Ed25519).")] = "ES256",
) -> None:
    """Make a key, stored encrypted under the passphrase (or the keyring's)."""
    made = keys(fresh=True).create(name, alg)
    if output.as_json():
        output.emit({"name": name, "kid": made.kid, "jwk": dict(made.public.jwk)})
    output.say("Key {k} of {n}.", "کلید {k} از {n}.", k=made.kid, n=name)


@keys_app.command("list")
def list_keys() -> None:
    """The keys of this machine; no passphrase is asked for."""
    rows = KeyStore(home() / "keys", OnePassphrase("")).listed()
    if output.as_json():
        output.emit([{"name": r.name, "for_log": r.for_log, "jwks": list(r.jwks)} for r in rows])
        return
    if not rows:
        output.say("There are no keys yet.", "هنوز کلیدی نیست.")
        return
    output.table(
        [("name", "نام"), ("kind", "گونه")],
        [[r.name, "Ed25519 + ML-DSA-44" if r.for_log else r.jwks[0].get("crv", "")] for r in rows],
    )


@keys_app.command("export")
def export_key(
    name: Annotated[str, typer.Argument(help="The organisation.")],
    out: Annotated[Path | None, typer.Option("--out", help="Write it here instead of printing it.")] = None,
) -> None:
    """The public key as a JWK, to be given to a steward or a verifier; no passphrase is asked for."""
    public = KeyStore(home() / "keys", OnePassphrase("")).export(name)
    text = msgspec.json.format(msgspec.json.encode(public), indent=2).decode()
    if out is None:
        typer.echo(text)
        return
    out.write_text(text + "\n", encoding="utf-8")
    output.say("The public key of {n}: {f}", "کلید عمومی {n}: {f}", n=name, f=output.ltr(str(out)))


def admit(
    org: Annotated[str, typer.Argument(help="The organisation's name.")],
    role: Annotated[list[str], typer.Option("--role", help="A role it is accredited for; may be repeated.")],
    name_fa: Annotated[str | None, typer.Option("--name-fa")] = None,
    name_en: Annotated[str | None, typer.Option("--name-en")] = None,
    legal_id: Annotated[str | None, typer.Option("--legal-id")] = None,
    steward: Annotated[str, typer.Option("--steward", help="Who admits.")] = "steward",
    key: Annotated[
        Path | None,
        typer.Option(
            "--key",
            help="The organisation's public key (JWK), made elsewhere; default: the key on this machine.",
        ),
    ] = None,
    at: At = None,
) -> None:
    """The steward admits an organisation by its public key, and accredits it for roles."""
    node = open_node()
    roles = {r for p in node.library.packs.values() for r in p.manifest.roles}
    for name in role:
        if name not in roles:
            raise Problem(NO_SUCH_ROLE, role=name, roles=", ".join(sorted(roles)))
    jwk = keys_public(org) if key is None else given_public(key)
    subject: dict[str, Any] = {
        "org": org,
        "name": {"fa": name_fa or org, "en": name_en or org},
        "keys": [jwk],
        "roles": list(dict.fromkeys(role)),
    }
    if legal_id:
        subject["legal_id"] = legal_id
    core = next(label for label in node.library.packs if label.startswith("core@"))
    procedure = node.library.procedure(core, "admission")
    moment = clock(at)
    claims = drafting.draft(procedure, None, "admission", issuer=steward, at=moment)
    paper = drafting.issue(claims, subject, keys().load(steward), procedure)
    accepted = node.intake.submit(paper, moment)
    tell_accepted(accepted)
    node.close()


def given_public(file: Path) -> dict[str, Any]:
    """A key that was made elsewhere. Raises `key-malformed`, `key-private`, and what is wrong with the JSON."""
    jwk = canonical.decode(read_file(file))
    public = PublicKey.from_jwk(jwk if isinstance(jwk, dict) else {})
    return {"kid": public.kid, "jwk": dict(public.jwk)}


def keys_public(org: str) -> dict[str, Any]:
    public = KeyStore(home() / "keys", OnePassphrase("")).export(org)
    members = {str(m): public[m] for m in ("kty", "crv", "x", "y") if m in public}
    return {"kid": thumbprint(members), "jwk": members}


def adopt(
    pack: Annotated[Path, typer.Argument(help="The pack's folder.", exists=True, file_okay=False)],
    steward: Annotated[str, typer.Option("--steward")] = "steward",
    at: At = None,
) -> None:
    """Keep a pack version beside the record and adopt it: new cases open under it, old ones go on under theirs."""
    node = open_node()
    moment = clock(at)
    for made in reversed(folder.gather(pack)):
        known = node.library.packs.get(made.label)
        if known is not None and known.digest == made.digest:
            continue
        node.add_pack(made)
        core = next(label for label in node.library.packs if label.startswith("core@"))
        procedure = node.library.procedure(core, "pack-adoption")
        claims = drafting.draft(procedure, None, "pack-adoption", issuer=steward, at=moment)
        subject = {"label": made.label, "digest": made.digest.hex()}
        tell_accepted(
            node.intake.submit(drafting.issue(claims, subject, keys().load(steward), procedure), moment)
        )
    node.close()


def sign(
    where: Annotated[str, typer.Argument(help="A case, or pack/procedure to open one.")],
    step: Annotated[str, typer.Argument(help="The step, or step:key for one slot of many.")],
    issuer: Annotated[
        str, typer.Option("--as", help="The organisation that signs; its key is on this machine.")
    ],
    subject: Annotated[
        Path | None, typer.Option("--subject", help="JSON file with the subject; - for standard input.")
    ] = None,
    act: Annotated[str, typer.Option("--act", help="issue, correct, confirm, withdraw or revoke.")] = "issue",
    outcome: Annotated[str | None, typer.Option("--outcome", help="approved, deficient or rejected.")] = None,
    deficiency: Annotated[
        list[str] | None, typer.Option("--deficiency", help="step#/field: what is wrong, for deficient.")
    ] = None,
    valid_until: Annotated[str | None, typer.Option("--valid-until")] = None,
    asked_for: Annotated[
        str | None,
        typer.Option(
            "--for",
            help="case#step:key, the slot of a case that asks for this one; of another node's, @ and the origin of its log behind it.",
        ),
    ] = None,
    attach: Annotated[
        list[Path] | None, typer.Option("--attach", help="A file to attach; may be repeated.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Write the document here instead of printing it.")
    ] = None,
    cose: Cose = False,
    at: At = None,
) -> None:
    """Compose and sign a document, resting on the case as it stands now. Nothing is sent: see `submit`."""
    node = open_node()
    moment = clock(at)
    node.intake.pass_time(moment)
    views = Views(node.store, node.library)
    name, _, key = step.partition(":")
    case = None
    if "/" in where:
        procedure = node.library.procedure(
            node.label_in_force(where.partition("/")[0], moment), where.partition("/")[2]
        )
    else:
        case = node.sequencer.cases.get(views.find_case(where))
        procedure = case.procedure
    for_slot = None
    if asked_for:
        here, _, log = asked_for.partition("@")
        parent, _, slot = here.partition("#")
        for_slot = (parent if log else views.find_case(parent), *slot.partition(":")[::2], log)
    claims = drafting.draft(
        procedure,
        case,
        name,
        issuer=issuer,
        at=moment,
        key=key,
        act=act,
        outcome=outcome,
        deficiencies=[deficient(d) for d in deficiency or []] or None,
        valid_until_ms=parse_instant(valid_until) if valid_until else None,
        for_slot=for_slot,
        attachments=[attached(p, issuer) for p in attach or []] or None,
    )
    content: Any = canonical.decode(read_file(subject)) if subject is not None else {}
    content = drafting.fill(procedure, name, content, node.sequencer.registers, moment)
    signing = keys().load(issuer)
    paper = drafting.issue(claims, content, signing, procedure)
    node.close()
    give(paper, signing, cose, out)


def deficient(text: str) -> dict[str, Any]:
    where, _, reason = text.partition(":")
    step, _, pointer = where.partition("#")
    return {
        "step": step.strip(),
        "field": pointer.strip(),
        "reason": {"fa": reason.strip(), "en": reason.strip()},
    }


def attached(path: Path, owner: str | None = None) -> dict[str, Any]:
    try:
        with path.open("rb") as stream:
            digest, size = blobs().put(stream, owner)
    except OSError as error:
        raise Problem(FILE_UNREADABLE, file=str(path), reason=of_os(error)) from None
    media_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return attachment(digest, media_type, size, path.name)


def submit(
    files: Annotated[list[Path], typer.Argument(help="Documents; - for standard input.")],
    receipts: Annotated[
        Path | None, typer.Option("--receipts", help="Write each receipt (tlog-proof) into this folder.")
    ] = None,
    at: At = None,
) -> None:
    """Submit documents: each is accepted with a receipt, or refused with the reason. One transaction for all."""
    papers = [read_file(f).strip() for f in files]
    node = open_node()
    answers = node.intake.submit_all(papers, clock(at))
    refused = 0
    for file, answer in zip(files, answers, strict=True):
        if isinstance(answer, Problem):
            refused += 1
            output.show_problem(answer)
            continue
        tell_accepted(answer)
        if receipts is not None:
            receipts.mkdir(parents=True, exist_ok=True)
            name = file.name if str(file) != "-" else answer.digest.hex()
            (receipts / f"{name}.tlog-proof").write_bytes(answer.receipt.encode())
    node.close()
    if refused:
        raise typer.Exit(1)


def tell_accepted(answer: Accepted) -> None:
    if output.as_json():
        output.emit(
            {
                "digest": answer.digest.hex(),
                "position": answer.position,
                "recorded_at": answer.recorded_at,
                "case": answer.case,
                "receipt": answer.receipt.encode().decode(),
            }  # fmt: skip
        )
        return
    output.say(
        "accepted at position {p}, {t}; document {d}, case {c}",
        "در جایگاه {p} پذیرفته شد، {t}؛ سند {d}، پرونده {c}",
        p=answer.position,
        t=output.when(answer.recorded_at),
        d=answer.digest.hex()[:12],
        c=answer.case[:12],
    )


def tick(at: At = None) -> None:
    """Let time pass: record what fell due by silence up to now."""
    node = open_node()
    made = node.intake.pass_time(clock(at))
    if output.as_json():
        output.emit({"recorded": made})
    output.say("{n} documents recorded by the clock", "{n} سند از ساعت گره ثبت شد", n=made)
    node.close()
