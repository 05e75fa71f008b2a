"""`gardesh explain`: from a document, or from what is in force, back to who decided it and on what."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.markup import escape
from rich.tree import Tree

from gardesh.cli import output
from gardesh.cli.home import open_views
from gardesh.study.explanation import Explainer, Told


def explain(
    what: Annotated[
        str, typer.Argument(help="A document (position or digest), or what is in force: core/tariffs#item.")
    ],
    depth: Annotated[int, typer.Option("--depth", min=1, max=20, help="How many steps back.")] = 6,
) -> None:
    """Say why a document is as it is: what it rests on, what its rules looked up, and who decided that."""
    store, library, _ = open_views()
    told = Explainer(store, library).explain(what, depth)
    if output.as_json():
        output.emit(told.as_dict())
        return
    titles = {
        (pack.name, step): made.title
        for pack in library.packs.values()
        for step, made in pack.documents.items()
    }

    def line(one: Told) -> str:
        said = one.document
        pack, _, kind = str(said["type"]).partition("/")
        title = output.title(titles[(pack, kind)]) if (pack, kind) in titles else str(said["type"])
        outcome = f" — {said['outcome']}" if said["outcome"] else ""
        how = f"[dim]{escape(output.ltr(one.how))}[/dim] " if one.how else ""
        more = output.t(" and {n} more", " و {n} مورد دیگر", n=one.left_out) if one.left_out else ""
        if one.above:
            return f"{how}[dim]{escape(title)}, {said['issuer']}, {output.t('see above', 'در بالا')}[/dim]"
        return f"{how}[bold]{escape(title)}[/bold]{outcome}, {said['issuer']}, {output.when(said['recorded_at'])}{more}"

    def grow(tree: Tree, one: Told) -> None:
        for below in one.because:
            grow(tree.add(line(below)), below)

    tree = Tree(line(told))
    grow(tree, told)
    output.console.print(tree)
