"""What a service does, once each, so that its statements can be looked at (`bench.plans`)."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from bench.material import Material
from bench.plans_rows import MANY
from gardesh import register_access
from gardesh.access import Access
from gardesh.inbox import Inbox
from gardesh.model.document import parse
from gardesh.model.problem import Problem
from gardesh.model.tile import parse_tile_path
from gardesh.node import Node, begun
from gardesh.record.log import Log
from gardesh.record.views import Views
from gardesh.subscriptions import Subscriptions
from gardesh.web.log import read as read_tile


def work(node: Node, made: Material) -> None:
    """Accept, let time pass, see what others wrote, and answer every kind of question."""
    papers = [*made.cases[1][12:], *made.cases[2]]
    node.intake.submit_all(papers[:5], made.at)
    for paper in papers[5:]:
        node.intake.submit(paper, made.at)
    node.sequencer.stale = True  # as when a write has failed, or others have written very much
    node.intake.pass_time(made.at)
    log = Log(node.store, node.log.origin, made.signers)
    other = Node(
        node.store, node.library, log, node.sequencer.clock
    )  # as another process over the same record
    for paper in made.cases[3][:5]:
        other.intake.submit(paper, made.at)
        node.sequencer.look()
    node.intake.submit(papers[-1], made.at)
    case = parse(made.cases[1][0]).digest.hex()
    for org in sorted({parse(paper).issuer for paper in papers}):
        ask(node, org, case, made.at)
    of_the_record(node, case, made.at)


def ask(node: Node, org: str, case: str, at: int) -> None:
    """As an organisation does."""
    access = Access(node, org, at)
    views, inbox, hooks = Views(node.store, node.library), Inbox(access), Subscriptions(node)
    for question in (
        lambda: access.case(case),
        lambda: access.documents(case, -1, 50),
        lambda: access.search("order-number", "71640215", 50),
        lambda: access.search("order-number", "71640215", 50, before=900_000),
        lambda: access.found("8"),
        lambda: access.read(parse_first(node, case), "a look"),
        lambda: access.readers("3"),
        lambda: access.worked("", 50),
        lambda: access.worked("8", 50),
        lambda: access.takes_part(case),
        lambda: register_access.entry(node, "core/organisations", org, at - 1, access),
        lambda: register_access.entries(node, "core/organisations", at - 1, access, None, 50),
        lambda: node.sequencer.registers.key_of("core/organisations", 8),
        lambda: inbox.page(-1),
        lambda: inbox.page(500_000),
        lambda: inbox.acked("default"),
        lambda: inbox.ack("default", 1),
        lambda: hooks.of(org),
        lambda: hooks.due(at, frozenset(), 16),
    ):
        tried(question)
    hook, _ = hooks.make(access, "https://example", None, 10_000)
    hooks.deliveries(org, hook.id, 50)
    hooks.resume(access, hook.id, 1)
    hooks.due(at, frozenset(), 16)
    hooks.remove(org, hook.id)
    opened = access.opened(None, 50)
    if opened:
        access.opened((opened[-1].opened_at, opened[-1].id), 50)
    first = views.worklist(org, access.roles, at)
    if first:
        dated = (first[-1]["deadline"], first[-1]["case"], first[-1]["slot"])
        views.worklist(org, access.roles, at, after=dated)
        views.worklist(org, access.roles, at, after=(None, *dated[1:]))


def of_the_record(node: Node, case: str, at: int) -> None:
    """As anybody does, and those who run the node."""
    views = Views(node.store, node.library)
    for question in (
        lambda: views.find_case(case[:12]),
        lambda: views.find_case("order-number=71640215"),
        lambda: views.plan(case, at),
        lambda: views.why(case, at),
        lambda: views.slots(case),
        lambda: views.documents(case),
        lambda: views.document("8"),
        lambda: views.document(parse_first(node, case)[:20]),
        lambda: views.cases(),
        lambda: views.cases(status="open"),
        lambda: views.cases(opener=views.case(case).opener),
        lambda: register_access.recorded_until(node, at - 1),
        lambda: node.log.checkpoint(at),
        lambda: node.log.keep_checkpoint(),
        lambda: node.log.edge.tree(node.log.full_tile).inclusion(5),
        lambda: read_tile(node, parse_tile_path("tile/0/001")),
        lambda: read_tile(node, parse_tile_path("tile/entries/001")),
        lambda: begun(node.store),
        lambda: node.sequencer.registers.values("core/accreditations", "", 1 << 62, at),
        lambda: node.sequencer.registers.value("core/accreditations", MANY, 1 << 62, at),
        lambda: node.sequencer.registers.value("core/accreditations", MANY, 5_000, at),
        lambda: node.label_in_force("trade", at),
    ):
        tried(question)


def parse_first(node: Node, case: str) -> str:
    """The digest of the document that opened a case."""
    return str(Views(node.store, node.library).documents(case)[0]["digest"])


def tried(question: Callable[[], object]) -> None:
    """A refusal is an answer too."""
    with suppress(Problem):
        question()
