"""/ and /docs: small pages that need no network, no script and no file of anybody else."""

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from function_app.api import requests

router = APIRouter(include_in_schema=False)

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h2 { font: bold 1.1rem ui-monospace, monospace; margin: 2.5rem 0 .3rem; }
table { border-collapse: collapse; width: 100%; } th, td { text-align: left; padding: .2rem .8rem .2rem 0; }
th, td { border-bottom: 1px solid #8884; vertical-align: top; } code { font-family: ui-monospace, monospace; }
pre { overflow-x: auto; background: #8881; padding: .8rem; }
@media (prefers-color-scheme: dark) { body { background: #111; color: #eee; } a { color: #8bf; } }
"""


@router.get("/")
async def landing(request: Request) -> dict[str, object]:
    """Where things are."""
    base = await requests.base_url(request)
    names = ("jobs", "docs", "openapi.json", "health", "ready")
    return {"name": "Speech Flow", "links": {name: f"{base}/{name}" for name in names}}


@router.get("/docs")
def docs(request: Request) -> HTMLResponse:
    """The API's description as a page."""
    return HTMLResponse(_page(request.app.openapi()))


def _page(description: Mapping[str, Any]) -> str:
    title = escape(description["info"]["title"])
    body = "\n".join(_operations(description))
    schemas = "\n".join(_schemas(description))
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style>'
        f"<h1>{title}</h1><p>{escape(description['info']['description'])}</p>"
        f'<p>For machines: <a href="openapi.json">openapi.json</a></p>{body}<h1>Values</h1>{schemas}</html>\n'
    )


def _operations(description: Mapping[str, Any]) -> Iterator[str]:
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            yield f"<h2>{method.upper()} {escape(path)}</h2><p>{escape(operation.get('description', ''))}</p>"
            body = operation.get("requestBody", {}).get("content", {})
            yield "".join(f"<p>Body: {_schema_link(one['schema'])}</p>" for one in body.values())
            rows = [(one["name"], one["in"], _type(one["schema"])) for one in operation.get("parameters", ())]
            yield _table(("Parameter", "In", "Type"), rows)
            answers = [(status, one["description"]) for status, one in operation["responses"].items()]
            yield _table(("Answer", ""), answers)


def _schemas(description: Mapping[str, Any]) -> Iterator[str]:
    for name, schema in description["components"]["schemas"].items():
        yield f'<h2 id="{escape(name)}">{escape(name)}</h2><p>{escape(schema.get("description", ""))}</p>'
        fields = schema.get("properties", {}).items()
        rows = [(field, _type(one), one.get("description", "")) for field, one in fields]
        yield _table(("Field", "Type", ""), rows)
        if "enum" in schema:
            yield f"<p><code>{escape(', '.join(map(str, schema['enum'])))}</code></p>"


def _table(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    if not rows:
        return ""
    head = "".join(f"<th>{escape(one)}</th>" for one in heads)
    lines = ("".join(f"<td>{escape(cell)}</td>" for cell in row) for row in rows)
    return f"<table><tr>{head}</tr>{''.join(f'<tr>{line}</tr>' for line in lines)}</table>"


def _type(schema: Mapping[str, Any]) -> str:
    """The schema in one word or two."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        return " or ".join(_type(one) for one in schema["anyOf"])
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    return str(schema.get("format") or schema.get("type") or "any")


def _schema_link(schema: Mapping[str, Any]) -> str:
    name = escape(_type(schema))
    return f'<a href="#{name}">{name}</a>'
