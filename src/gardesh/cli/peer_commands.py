"""Other nodes: recognise one, and bring what it proves."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import httpx
import typer

from gardesh import draft as drafting
from gardesh import wire
from gardesh.cli import output
from gardesh.cli.client_commands import NODE_UNREACHABLE
from gardesh.cli.files import read_file
from gardesh.cli.home import blobs, keys, open_node
from gardesh.cli.home import now as clock
from gardesh.cli.node_commands import At, tell_accepted
from gardesh.client import Client
from gardesh.client.call import Refused, Unexpected
from gardesh.exchange import evidence
from gardesh.model.policy_file import parse as parse_policy
from gardesh.model.problem import Problem, define
from gardesh.model.signer import Verifier
from gardesh.node import Node
from gardesh.record.registers import NOWHERE

KEYS_DIFFER = define(
    "node-keys-differ",
    409,
    en="The node at {url} shows the log keys {shown}, not those given.",
    fa="گره در {url} کلیدهای دفتر {shown} را نشان می‌دهد، نه آنچه داده شد.",
    hint_en="Have the keys from whoever runs that node, not from its address: `gardesh log key` prints them there.",
    hint_fa="کلیدها را از گرداننده‌ی آن گره بگیرید، نه از نشانی آن: «gardesh log key» آن‌ها را در آنجا چاپ می‌کند.",
)


def recognise(
    url: Annotated[str, typer.Argument(help="The other node, as https://node.example.")],
    org: Annotated[str, typer.Option("--org", help="The organisation that stands for it here; admitted if it is new.")],
    log_key: Annotated[
        list[str],
        typer.Option("--log-key", help="A verifier key of its log, had from whoever runs it; every one it shows."),
    ],
    procedure: Annotated[
        list[str] | None,
        typer.Option(
            "--procedure",
            help="PACK/PROCEDURE whose closing documents count here; may be repeated. Default: none, it only asks here.",
        ),
    ] = None,
    known_as: Annotated[
        str, typer.Option("--known-as", help="The name of this node there; needed to follow it.")
    ] = "",
    witnesses: Annotated[
        Path | None,
        typer.Option("--witnesses", help="Policy file: whose cosignatures its checkpoints need to count here."),
    ] = None,
    steward: Annotated[str, typer.Option("--steward", help="Who decides.")] = "steward",
    at: At = None,
) -> None:  # fmt: skip
    """The steward recognises another node: what it proves counts here, under its keys and the witnesses named."""
    told = asked(url)
    if sorted(log_key) != sorted(told.log_keys):
        raise Problem(KEYS_DIFFER, url=url, shown=" ".join(told.log_keys))
    subject: dict[str, Any] = {
        "origin": told.origin, "org": org, "genesis": told.genesis, "keys": log_key, "procedures": procedure or [], "url": url.rstrip("/"),
    }  # fmt: skip
    if known_as:
        subject["known_as"] = known_as
    if witnesses is not None:
        text = read_file(witnesses)
        parse_policy(text).for_log(told.origin, [Verifier.parse(key) for key in log_key])
        subject["witnesses"] = text.decode()
    node, moment = open_node(), clock(at)
    try:
        for counted in procedure or []:
            pack, _, own = counted.partition("/")
            node.library.procedure(node.label_in_force(pack, moment), own)
        if node.sequencer.registers.value("core/keys", told.clock.kid, NOWHERE, moment) is None:
            name = {"fa": org, "en": org}
            key = {"kid": told.clock.kid, "jwk": told.clock.jwk}
            issue(
                node,
                "admission",
                {"org": org, "name": name, "keys": [key], "roles": ["member"]},
                steward,
                moment,
            )
        issue(node, "node-recognition", subject, steward, moment)
    finally:
        node.close()
    if known_as and url.startswith("http://"):
        output.say(
            "Its address is without TLS: a service here follows it with `allow_http = true` in [nodes] alone, for trials.",
            "نشانی آن بدون TLS است: خدمت این گره تنها با «allow_http = true» در [nodes] آن را دنبال می‌کند، برای آزمایش.",
        )


def asked(url: str) -> wire.NodeInfo:
    """What the node says of itself. Raises `node-unreachable`."""
    try:
        with Client(url.rstrip("/")) as there:
            return there.node()
    except (httpx.TransportError, httpx.InvalidURL, ValueError, Refused, Unexpected) as error:
        raise Problem(NODE_UNREACHABLE, url=url, reason=str(error) or type(error).__name__) from None


def issue(node: Node, step: str, subject: dict[str, Any], steward: str, moment: int) -> None:
    """One document of the core pack that opens a case of its own."""
    core = next(label for label in node.library.packs if label.startswith("core@"))
    procedure = node.library.procedure(core, step)
    claims = drafting.draft(procedure, None, step, issuer=steward, at=moment)
    paper = drafting.issue(claims, subject, keys().load(steward), procedure)
    tell_accepted(node.intake.submit(paper, moment))


def bring(
    file: Annotated[Path, typer.Argument(help="A case file from another node; - for standard input.")],
    at: At = None,
) -> None:
    """Bring the case file of a case that was opened on another node for a slot here: what it proves counts."""
    data = read_file(file)
    node = open_node()
    try:
        node.blobs = blobs()
        node.intake.attachments = node.blobs
        made = evidence.bring(node, data, clock(at))
    finally:
        node.close()
    tell_accepted(made)
    output.say(
        "The slot in the case {c} has it now.", "اکنون در پرونده‌ی {c} به حساب می‌آید.", c=output.ltr(made.case)
    )
