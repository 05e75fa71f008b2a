"""`gardesh pack`: make, check, play, test and document packs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from gardesh import template, worked
from gardesh.cli import output
from gardesh.model import pack as language
from gardesh.model.library import Library
from gardesh.model.pack import Pack
from gardesh.model.problem import Problem
from gardesh.play import Played, Player
from gardesh.play_page import page
from gardesh.record import folder
from gardesh.study.lint import lint as find_faults
from gardesh.study.pack_page import describe

app = typer.Typer(no_args_is_help=True, help="Make, check, play and test packs.")
Folder = Annotated[Path, typer.Argument(help="The pack's folder.", exists=True, file_okay=False)]


@app.command()
def lint(pack: Folder) -> None:
    """Check a pack without running it: names, fields, roles, terms, what nobody reads."""
    packs = folder.gather(pack)
    library = Library()
    for made in packs:
        library.add(made)
    findings = find_faults(library, packs[0])
    errors = sum(f.level == "error" for f in findings)
    if output.as_json():
        output.emit(
            [{"level": f.level, "code": f.code, "place": f.place, "en": f.en, "fa": f.fa} for f in findings]
        )
    else:
        for f in findings:
            colour = "red" if f.level == "error" else "yellow"
            output.console.print(f"[{colour}]{f.code}[/{colour}] {f.place}\n  {output.t(f.en, f.fa)}")
        output.say("{e} errors, {w} warnings", "{e} خطا، {w} هشدار", e=errors, w=len(findings) - errors)
    if errors:
        raise typer.Exit(1)


@app.command()
def test(
    pack: Folder,
    only: Annotated[str, typer.Option("--case", "-c", help="Only the worked case of this name.")] = "",
) -> None:
    """Play all worked cases of a pack; each must go as it says."""
    packs = folder.gather(pack)
    failed = total = 0
    results = []
    for file, made in cases_of(pack):
        if only and made.case != only:
            continue
        total += 1
        failures = play_all(packs, made)
        failed += bool(failures)
        results.append({"case": made.case, "file": file, "passed": not failures, "failures": failures})
        if not output.as_json():
            mark = "[green]✓[/green]" if not failures else "[red]✗[/red]"
            output.console.print(f"{mark} {made.case}  [dim]{output.title(made.title)}[/dim]")
            for failure in failures:
                output.console.print(f"    {failure}", markup=False)
    if output.as_json():
        output.emit(results)
    output.say("{p} passed, {f} failed", "{p} گذشت، {f} نگذشت", p=total - failed, f=failed)
    if failed or not total:
        raise typer.Exit(1)


def cases_of(pack: Path) -> Iterator[tuple[str, worked.WorkedCase]]:
    for path in sorted((pack / "cases").glob("*.yaml")):
        yield path.name, worked.read(path.name, folder.parse_yaml(path.name, path.read_bytes()))


def play_all(packs: list[Pack], made: worked.WorkedCase) -> list[str]:
    try:
        player = Player(packs, made)
        return [f"act {p.number}: {f}" for p in player.run() for f in p.failures]
    except Problem as problem:
        return [f"{problem.code} at {problem.pointer or '/'}: {problem.sentence('en')}"]


@app.command()
def play(
    case: Annotated[Path, typer.Argument(help="A worked case.", exists=True, dir_okay=False)],
    html: Annotated[
        Path | None, typer.Option("--html", help="Write a page that steps through the case.")
    ] = None,
) -> None:
    """Play one worked case, act by act: acceptance or refusal, then the state, reason and term of every slot."""
    packs = folder.gather(pack_of(case))
    made = worked.read(case.name, folder.parse_yaml(case.name, case.read_bytes()))
    player = Player(packs, made)
    acts: list[dict[str, Any]] = []
    failed = 0
    for played in player.run():
        row = told(played)
        acts.append(row)
        failed += bool(played.failures)
        if output.as_json():
            output.emit_line(row)
        else:
            show(played)
    if html is not None:
        titles = {name: output.title(role.title) for p in packs for name, role in p.manifest.roles.items()}
        titles |= {s.name: output.title(s.title) for p in player.node.library.compiled() for s in p.steps}
        html.write_text(page(made, acts, output.lang(), titles), encoding="utf-8")
        output.say("The page is in {f}", "صفحه در {f} است", f=str(html))
    if failed:
        raise typer.Exit(1)


def pack_of(case: Path) -> Path:
    for parent in case.resolve().parents:
        if (parent / "pack.yaml").is_file():
            return parent
    raise Problem(folder.NO_SUCH_FOLDER, folder=str(case.parent))


def told(played: Played) -> dict[str, Any]:
    """One act as JSON; the field names are stable."""
    verb, what = played.act.verb
    return {
        "act": played.number,
        "at": played.at,
        "by": played.act.by,
        "verb": verb,
        "what": what,
        "case": played.act.case,
        "key": played.act.key,
        "accepted": played.accepted,
        "code": played.code,
        "pointer": played.pointer,
        "message": {"en": played.problem.sentence("en"), "fa": played.problem.sentence("fa")}
        if played.problem
        else None,
        "position": played.position,
        "digest": played.digest,
        "outcome": played.act.outcome,
        "by_clock": played.by_clock,
        "failures": played.failures,
        "slots": played.slots,
    }


def show(played: Played) -> None:
    verb, what = played.act.verb
    name = f"{what}:{played.act.key}" if played.act.key else what
    mark = "[green]✓[/green]" if played.accepted else f"[yellow]{played.code}[/yellow]"
    output.console.print(
        f"{output.number(played.number):>3} {output.when(played.at)}  {played.act.by or ''} {verb} {name}  {mark}"
    )
    for row in played.by_clock:
        output.console.print(f"      ⏱ {row['act']} {row['slot']}", markup=False)
    if played.problem is not None:
        output.console.print(
            "      " + output.t(played.problem.sentence("en"), played.problem.sentence("fa")), markup=False
        )
    open_slots = [
        f"{slot} {row['state']}" + (f" → {row['by'] or row['role']}" if row["role"] else "")
        for slot, row in played.slots.items()
        if row["demanded"] and not row["reason"]
    ]
    if open_slots:
        output.console.print("      " + "; ".join(open_slots), style="dim", markup=False)
    for failure in played.failures:
        output.console.print(f"      ✗ {failure}", style="red", markup=False)


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="The pack's name: lower case, with hyphens.")],
    to: Annotated[Path, typer.Option("--to", help="The folder to make it in.", file_okay=False)] = Path(
        "packs"
    ),
) -> None:
    """Make a small pack that already lints and plays, to change into one's own."""
    made = template.write(name, to)
    if output.as_json():
        output.emit(
            {
                "pack": str(made),
                "files": sorted(str(p.relative_to(made)) for p in made.rglob("*") if p.is_file()),
            }
        )
    output.say(
        "Made {f}. Next: gardesh pack test {f}", "{f} ساخته شد. گام بعد: gardesh pack test {f}", f=str(made)
    )


@app.command()
def docs(
    pack: Folder,
    to: Annotated[
        Path | None, typer.Option("--to", help="Write the page here instead of printing it.")
    ] = None,
) -> None:
    """A page about a pack in Markdown: its offices, procedures, documents, lists, with their sources."""
    packs = folder.gather(pack)
    library = Library()
    for made in packs:
        library.add(made)
    text = describe(library, packs[0], output.lang())
    if to is None:
        typer.echo(text)
    else:
        to.write_text(text + "\n", encoding="utf-8")
        output.say("The page is in {f}", "صفحه در {f} است", f=str(to))


@app.command()
def schema(
    kind: Annotated[str, typer.Argument(help="pack, document, procedure or register.")] = "",
    to: Annotated[Path | None, typer.Option("--to", help="Write all four into this folder.")] = None,
) -> None:
    """Print the JSON Schema of the pack language, for editors."""
    schemas = language.schemas()
    if to is not None:
        to.mkdir(parents=True, exist_ok=True)
        for name, made in schemas.items():
            import msgspec

            text = msgspec.json.format(msgspec.json.encode(made), indent=2) + b"\n"
            (to / f"{name}.schema.json").write_bytes(text)
        return
    output.emit(schemas.get(kind, schemas))
