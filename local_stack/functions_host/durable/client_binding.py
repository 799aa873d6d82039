"""The string that a durable client binding receives: the URLs by which the SDK's client reaches this host."""

from __future__ import annotations

import json

# The SDK's calls, and the operators' (the same API under the webhook's path, as in Azure).
RPC_PATH = "/durabletask"
WEBHOOK_PATH = "/runtime/webhooks/durabletask"

# The SDK replaces this text by the instance's id wherever it stands.
_ID = "INSTANCEID"


def client_json(task_hub: str, base_url: str) -> str:
    """`base_url` is the host's origin, e.g. `http://127.0.0.1:7071`."""
    origin = base_url.rstrip("/")
    webhook = origin + WEBHOOK_PATH
    suffix = f"taskHub={task_hub}&connection=Storage"
    create = f"{webhook}/orchestrators/{{functionName}}[/{{instanceId}}]"
    return json.dumps(
        {
            "taskHubName": task_hub,
            "creationUrls": {
                "createNewInstancePostUri": create,
                "createAndWaitOnNewInstancePostUri": (
                    f"{create}?timeout={{timeoutInSeconds}}&pollingInterval={{intervalInSeconds}}"
                ),
            },
            "managementUrls": management_urls(_ID, webhook_url=webhook, query=suffix),
            "baseUrl": webhook,
            "requiredQueryStringParameters": "",
            # The SDK appends to it: the trailing slash is needed.
            "rpcBaseUrl": f"{origin}{RPC_PATH}/",
        }
    )


def management_urls(instance_id: str, *, webhook_url: str, query: str) -> dict[str, str]:
    """The links by which one instance is managed."""
    instance = f"{webhook_url}/instances/{instance_id}"
    return {
        "id": instance_id,
        "statusQueryGetUri": f"{instance}?{query}",
        "sendEventPostUri": f"{instance}/raiseEvent/{{eventName}}?{query}",
        "terminatePostUri": f"{instance}/terminate?reason={{text}}&{query}",
        "rewindPostUri": f"{instance}/rewind?reason={{text}}&{query}",
        "purgeHistoryDeleteUri": f"{instance}?{query}",
        "restartPostUri": f"{instance}/restart?{query}",
        "suspendPostUri": f"{instance}/suspend?reason={{text}}&{query}",
        "resumePostUri": f"{instance}/resume?reason={{text}}&{query}",
    }
