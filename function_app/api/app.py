"""The API as one FastAPI app."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.types import ASGIApp

from contracts import api
from function_app.api import health, jobs, middleware, pages, problems

TITLE = "Speech Flow"
VERSION = "0.1.0"
DESCRIPTION = (
    "Recordings in; language, transcript, subtitles, translation and summary out. POST a job, PUT its file, "
    "start it, and follow it. Every error is application/problem+json with a stable code."
)


class Api(FastAPI):
    """FastAPI with problems documented as what they are."""

    def openapi(self) -> dict[str, Any]:
        """The description, made once."""
        if not self.openapi_schema:
            made = get_openapi(title=TITLE, version=VERSION, description=DESCRIPTION, routes=self.routes)
            for operation in _operations(made):
                _name_problems(operation["responses"])
            for name in _VALIDATION_SCHEMAS:
                made["components"]["schemas"].pop(name, None)
            self.openapi_schema = made
        return self.openapi_schema


_VALIDATION_SCHEMAS = ("HTTPValidationError", "ValidationError")
"""FastAPI documents its own 422 where a route has parameters and none of ours; it is never sent."""


def create() -> ASGIApp:
    """A new app with every route; it asks `services.current()` for all else."""
    # FastAPI's own pages load scripts from elsewhere.
    app = Api(title=TITLE, version=VERSION, docs_url=None, redoc_url=None, redirect_slashes=False)
    problems.register(app)
    app.include_router(jobs.router)
    app.include_router(health.router)
    app.include_router(pages.router)
    # Inside of Starlette's own last resort, which answers in plain text and raises all the same.
    app.add_middleware(middleware.Boundary)
    return app


def _operations(description: dict[str, Any]) -> list[dict[str, Any]]:
    return [operation for methods in description["paths"].values() for operation in methods.values()]


def _name_problems(responses: dict[str, Any]) -> None:
    """Problems have a media type of their own."""
    for status, answer in list(responses.items()):
        content = answer.get("content", {}).get("application/json", {})
        name = str(content.get("schema", {}).get("$ref", "")).rpartition("/")[2]
        if name == api.Problem.__name__:
            answer["content"] = {problems.MEDIA_TYPE: content}
        elif name in _VALIDATION_SCHEMAS:
            del responses[status]
