"""Every HTTP request goes to one function and from there to the FastAPI app."""

# The SDK publishes its decorators without types.
# mypy: disable-error-code="untyped-decorator"

from typing import Final

import azure.functions as func
from azure.durable_functions import Blueprint, DurableOrchestrationClient

from function_app.api import app as api_app
from function_app.api import durable

blueprint = Blueprint()

# All of them: a method that a path does not take is the API's to refuse.
METHODS: Final = [
    func.HttpMethod(name) for name in ("GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "DELETE")
]

_asgi: Final = func.AsgiMiddleware(api_app.create())  # type: ignore[no-untyped-call] # the SDK's


@blueprint.route(route="{*path}", methods=METHODS, auth_level=func.AuthLevel.ANONYMOUS)
@blueprint.durable_client_input(client_name="client")
async def http(
    req: func.HttpRequest, context: func.Context, client: DurableOrchestrationClient
) -> func.HttpResponse:
    with durable.using(client):
        answer: func.HttpResponse = await _asgi.handle_async(req, context)
    return answer
