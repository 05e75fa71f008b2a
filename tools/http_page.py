"""docs/reference/http.md and configuration.md, from the service itself."""

from __future__ import annotations

from typing import Any

import msgspec

from gardesh.web import configuration
from gardesh.web.application import described


def page() -> str:
    made: Any = described()
    lines = [
        "# The HTTP API",
        "",
        "Made from the program (`tools/check_docs.py --write`). A node serves the same as OpenAPI 3.1 at `/openapi.json`, with schemas",
        "and examples of every parameter, body and answer, and `gardesh serve --print-openapi` prints it.",
        "How to use it: [with curl](../howto/http-with-curl.md).",
        "",
        made["info"]["description"],
        "",
    ]
    for path, ways in made["paths"].items():
        for method, operation in ways.items():
            lines += [
                f"## {method.upper()} {path}",
                "",
                f"**{operation['summary']}.** {operation['description']}",
                "",
            ]
            lines += parameters(operation) + answers(operation)
    return "\n".join(lines).rstrip() + "\n"


def parameters(operation: Any) -> list[str]:
    rows = [
        f"| `{p['name']}` | {p['in']} | {'yes' if p.get('required') else 'no'} | {p.get('description', '')} |"
        for p in operation.get("parameters", [])
    ]
    rows += [
        f"| body | `{kind}` | yes | {operation['requestBody'].get('description', '')} |"
        for kind in operation.get("requestBody", {}).get("content", {})
    ]
    return ["| parameter | in | required | |", "|---|---|---|---|", *rows, ""] if rows else []


def answers(operation: Any) -> list[str]:
    good = {s: r for s, r in operation["responses"].items() if s < "400"}
    refused = sorted(s for s in operation["responses"] if s not in good)
    lines = [
        f"- {status}: {', '.join(f'`{k}`' for k in response.get('content') or {}) or 'no body'}. {response['description']}"
        for status, response in good.items()
    ]
    who = "anybody" if {} in operation["security"] else "who is known by a signature or a token"
    return [*lines, "", f"Asked by {who}. Refused with {', '.join(refused) or 'nothing'}.", ""]


def configuration_page() -> str:
    lines = [
        "# The configuration of a service",
        "",
        "A TOML file: `serve.toml` in the node's folder, or what `gardesh serve --config FILE` names. Every key has a default; a key",
        "that is not known stops the start. Made from the program; `gardesh serve --print-config` prints it as a file.",
        "",
    ]
    last = ""
    for section, name, kind, default, said in configuration.settings():
        if section != last:
            lines += ["", f"## [{section}]", "", "| key | type | default | |", "|---|---|---|---|"]
            last = section
        shown = msgspec.json.encode(default).decode()
        lines.append(f"| `{name}` | {kind.replace('|', 'or')} | `{shown}` | {said} |")
    return "\n".join(lines) + "\n"
