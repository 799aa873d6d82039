"""A file has arrived in the container of uploads."""

# The SDK publishes its decorators without types.
# mypy: disable-error-code="untyped-decorator"

import azure.functions as func
from azure.durable_functions import Blueprint, DurableOrchestrationClient

from function_app import services, uploads

blueprint = Blueprint()


@blueprint.blob_trigger(
    arg_name="blob",
    path="audio-files/{tenant}/{job_id}/source",
    connection="AzureWebJobsStorage",
    # The only source that Flex Consumption has.
    source=func.BlobSource.EVENT_GRID,
)
@blueprint.durable_client_input(client_name="client")
async def upload_arrived(blob: func.InputStream, client: DurableOrchestrationClient) -> None:
    """Looks at the name alone, never at the content, which may be gigabytes."""
    await uploads.arrived(await services.ready(), client, str(blob.name))
