"""`gardesh pack`: make, check, play, test and document packs."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from gardesh import template, worked, worked_file
from gardesh.cli import output
from gardesh.model.library import Library
from gardesh.model.problem import Problem
from gardesh.play import Played, Player
from gardesh.play_page import STATES_FA, Row, by_clock, moment, named, page, said
from gardesh.record import folder
from gardesh.study.lint import lint as find_faults
from gardesh.study.pack_page import describe
from gardesh.study.pack_schema import published

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
            place = output.ltr(f.place.lstrip("/"))
            output.console.print(f"[{colour}]{f.code}[/{colour}] {place}\n  {output.t(f.en, f.fa)}")
        output.say("Errors: {e}. Warnings: {w}.", "خطا: {e}. هشدار: {w}.", e=errors, w=len(findings) - errors)
    if errors:
        raise typer.Exit(1)


@app.command()
def test(
    pack: Folder,
    only: Annotated[str, typer.Option("--case", "-c", help="Only the worked case of this name.")] = "",
) -> None:
    """Play all worked cases of a pack; each must go as it says."""
    folder.gather(pack)
    results = []
    for path in sorted((pack / "cases").glob("*.yaml")):
        if only and path.stem != only:
            continue
        made, failures = case_in(path)
        if made is not None:
            failures = play_all(path, made)
        name = made.case if made is not None else path.stem
        results.append({"case": name, "file": path.name, "passed": not failures, "failures": failures})
        if not output.as_json():
            mark = "[green]✓[/green]" if not failures else "[red]✗[/red]"
            title = output.title(made.title) if made is not None else ""
            output.console.print(f"{mark} {name}  [dim]{title}[/dim]")
            for failure in failures:
                output.console.print(f"    {failure}", markup=False)
    failed = sum(not r["passed"] for r in results)
    if output.as_json():
        output.emit(results)
    if results:
        output.say("{p} passed, {f} failed", "{p} گذشت، {f} نگذشت", p=len(results) - failed, f=failed)
    else:
        output.say("There is no such worked case in cases/.", "در cases/ چنین پرونده‌ی نمونه‌ای نیست.")
    if failed or not results:
        raise typer.Exit(1)


def case_in(path: Path) -> tuple[worked.WorkedCase | None, list[str]]:
    """The worked case in a file; or none, and why it cannot be read."""
    try:
        return worked_file.load(path), []
    except Problem as problem:
        return None, [failure_of(problem)]


def failure_of(problem: Problem) -> str:
    return f"{problem.code} at {problem.pointer or '/'}: {problem.sentence('en')}"


def play_all(path: Path, made: worked.WorkedCase) -> list[str]:
    try:
        player = Player(worked_file.packs(path, made), made)
        return [f"act {p.number}: {f}" for p in player.run() for f in p.failures]
    except Problem as problem:
        return [failure_of(problem)]


@app.command()
def play(
    case: Annotated[Path, typer.Argument(help="A worked case.", exists=True, dir_okay=False)],
    html: Annotated[
        Path | None, typer.Option("--html", help="Write a page that steps through the case.")
    ] = None,
) -> None:
    """Play one worked case, act by act: acceptance or refusal, and what now waits on whom, until when.

    With --json and on the page: the state, reason and term of every slot.
    """
    pack_of(case)
    made = worked_file.load(case)
    packs = worked_file.packs(case.resolve(), made)
    player = Player(packs, made)
    acts: list[Row] = []
    failed = 0
    before: dict[str, Row] = {}
    for played in player.run():
        row = told(played)
        acts.append(row)
        failed += bool(played.failures)
        if output.as_json():
            output.emit_line(row)
        else:
            titles = titles_of(player)
            show(made, played, row, titles, news(made, row, before.get(row["case"]), titles))
        before[row["case"]] = row
    if html is not None:
        html.write_text(page(made, acts, output.lang(), titles_of(player)), encoding="utf-8")
        output.say("The page is in {f}", "صفحه در {f} است", f=str(html))
    if failed:
        raise typer.Exit(1)


def titles_of(player: Player) -> dict[str, str]:
    """The titles of roles, steps and parties by their names, in the language asked for."""
    titles = {n: output.title(r.title) for p in player.packs.values() for n, r in p.manifest.roles.items()}
    titles |= {s.name: output.title(s.title) for p in player.node.library.compiled() for s in p.steps}
    for org, party in player.worked.parties.items():
        if isinstance(party, worked.Party) and party.name is not None:
            titles[org] = output.title(party.name)
    return titles


def pack_of(case: Path) -> Path:
    for parent in case.resolve().parents:
        if (parent / "pack.yaml").is_file():
            return parent
    raise Problem(folder.NO_SUCH_FOLDER, folder=str(case.parent))


def told(played: Played) -> Row:
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
        "status": played.status,
        "slots": played.slots,
    }


NEWS = ("due", "overdue", "returned", "refused", "doubtful")
STATUS = {
    "open": ("the case is open again", "پرونده دوباره باز شد"),
    "closed": ("the case is closed", "پرونده بسته شد"),
    "withdrawn": ("the case was withdrawn", "از پرونده انصراف داده شد"),
}


def news(made: worked.WorkedCase, row: Row, before: Row | None, titles: dict[str, str]) -> list[str]:
    """Where this act changed what waits, on whom and until when, one slot a line; and whether the case is open."""
    english, lines = output.lang() == "en", []
    known = before["slots"] if before is not None else {}
    for slot, now in row["slots"].items():
        was = known.get(slot, {})
        if (
            not now["demanded"]
            or now["state"] not in NEWS
            or all(now[k] == was.get(k) for k in ("state", "deadline"))
        ):
            continue
        who = now.get("returned_to") or now["by"] or now["role"]
        line = f"{slot}  {now['state']}" if english else f"{named(slot, titles)}: {STATES_FA[now['state']]}"
        if who and now["demanded"]:
            line += f"  → {who}" if english else f" ← {titles.get(who, who)}"
        if now["deadline"] is not None:
            line += (", until " if english else "، تا ") + moment(now["deadline"], made, output.lang())
        lines.append(line)
    if row["status"] is not None and row["status"] != (before["status"] if before is not None else "open"):
        lines.append(STATUS[row["status"]][0 if english else 1])
    return lines


def show(
    made: worked.WorkedCase, played: Played, row: Row, titles: dict[str, str], changed: list[str]
) -> None:
    """One act for people: by the names of steps in English, as a pack's author writes them; by titles in Persian."""
    lang = output.lang()
    names = titles if lang == "fa" else {}
    mark = "[green]✓[/green]" if played.accepted else f"[yellow]{output.ltr(played.code or '')}[/yellow]"
    case = f"[dim]{played.act.case}:[/dim] " if played.act.case != "main" else ""
    act = (
        said(row, lang, names) if lang == "fa" else said(row, lang, names).translate({0x201C: "", 0x201D: ""})
    )
    output.console.print(
        f"{output.number(played.number):>3} {moment(played.at, made, lang)}  {case}{act}  {mark}",
        soft_wrap=True,
    )
    for each in row["by_clock"]:
        output.console.print(f"      ⏱ {by_clock(each, lang, names, played.act.case)}", markup=False)
    if played.problem is not None:
        refusal = f"      {played.problem.sentence(lang)}"
        output.console.print(refusal, markup=False)
    for line in changed:
        output.console.print(f"      {line}", style="dim", markup=False, soft_wrap=True)
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


class Kind(StrEnum):
    """A kind of file in a pack."""

    pack = "pack"
    document = "document"
    procedure = "procedure"
    register = "register"
    case = "case"


@app.command()
def schema(
    kind: Annotated[Kind | None, typer.Argument(help="The kind of file; default: all.")] = None,
    to: Annotated[Path | None, typer.Option("--to", help="Write all of them into this folder.")] = None,
) -> None:
    """Print the JSON Schema of the files of a pack, for editors."""
    schemas = published()
    if to is None:
        output.emit(schemas[kind] if kind is not None else schemas)
        return
    to.mkdir(parents=True, exist_ok=True)
    for name, made in schemas.items():
        text = msgspec.json.format(msgspec.json.encode(made), indent=2) + b"\n"
        (to / f"{name}.schema.json").write_bytes(text)
    output.say("{n} schemas in {f}", "{n} طرح‌واره در {f}", n=len(schemas), f=str(to))
