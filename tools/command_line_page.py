"""docs/reference/command-line.md, from the command line itself."""

from __future__ import annotations

from typing import Any

import typer

from gardesh.cli import app, main


def page() -> str:
    group: Any = typer.main.get_command(app)
    lines = [
        "# The command line",
        "",
        "Made from the program (`tools/check_docs.py --write`). `gardesh --install-completion` completes commands in your shell.",
        "",
        "Before any command: `--json` prints JSON with stable field names in place of tables; `--lang fa` speaks Persian",
        "(`GARDESH_LANG`); `--home DIR` names the node's folder (`GARDESH_HOME`).",
        "",
        exit_codes(),
        "",
        "Environment: `GARDESH_PASSPHRASE` of the keys (or `GARDESH_KEYRING=1`), `GARDESH_ATTACHMENT_LIMIT` in bytes,",
        "`GARDESH_DEBUG=1` shows where a fault of Gardesh itself lies.",
        "",
    ]
    lines += [line for name, command in commands(group, ()) for line in section(name, command)]
    return "\n".join(lines).rstrip() + "\n"


def exit_codes() -> str:
    return " ".join((main.__doc__ or "").split("Exit codes:")[1].split()).join(("Exit codes: ", ""))


def commands(group: Any, above: tuple[str, ...]) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            found += commands(command, (*above, name))
        else:
            found.append((" ".join((*above, name)), command))
    return found


def section(name: str, command: Any) -> list[str]:
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    options = [p for p in command.params if p.param_type_name == "option" and p.name != "help"]
    shown = " ".join(argument(p) for p in arguments)
    lines = [
        f"## {name}",
        "",
        f"`gardesh {name}{' ' + shown if shown else ''}{' [options]' if options else ''}`",
        "",
    ]
    lines += [" ".join((command.help or "").split()), ""]
    rows = [f"| `{argument(p)}` | {text(p)} |" for p in arguments] + [
        f"| {names(p)} | {text(p)} |" for p in options
    ]
    return [*lines, "| | |", "|---|---|", *rows, ""] if rows else lines


def argument(param: Any) -> str:
    name = (param.metavar or param.name or "").upper()
    name = f"{name}..." if param.nargs != 1 or param.multiple else name
    return name if param.required else f"[{name}]"


def names(param: Any) -> str:
    word = {"Path": "FILE", "str": "TEXT", "int": "N"}.get(param.type_descriptor.annotation.__name__, "WORD")
    kind = "" if param.is_flag else f" {(param.metavar or word).upper()}"
    return ", ".join(f"`{o}{kind}`" for o in (*param.opts, *param.secondary_opts))


def text(param: Any) -> str:
    said = " ".join((getattr(param, "help", None) or "").split())
    default = param.default
    if param.required and param.param_type_name == "option":
        said += " Required."
    elif default not in (None, False, True, "", ()) and not callable(default):
        said += f" Default: `{default}`."
    if getattr(param, "multiple", False):
        said += " May be repeated." if "repeated" not in said else ""
    return said.strip().replace("|", "\\|")
