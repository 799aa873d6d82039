"""What a job's orchestrations have heard and done, as Durable tells it to operators."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import httpx

INSTANCES: Final = "/runtime/webhooks/durabletask/instances"

_DONE: Final = {"TaskCompleted", "SubOrchestrationInstanceCompleted"}
_FAILED: Final = {"TaskFailed", "SubOrchestrationInstanceFailed"}


def read(url: str, job_id: str) -> Mapping[str, Sequence[str]]:
    """Of every orchestration of the job: the events that it heard, and what it had done.

    Each once and sorted: a fault may cost an attempt and change the order, and neither adds a step nor takes
    one away. Failures that a later attempt made good are not among them. Raises httpx.HTTPError.
    """
    listed = _get(url, "", {"instanceIdPrefix": job_id, "top": "500"})
    return {
        each["instanceId"].removeprefix(job_id): sorted(set(_told(_history(url, each["instanceId"]))))
        for each in listed
    }


def _history(url: str, instance_id: str) -> Sequence[Mapping[str, Any]]:
    events: Sequence[Mapping[str, Any]] = _get(url, f"/{instance_id}", {"showHistory": "true"})[
        "historyEvents"
    ]
    return events


def _told(events: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    done = {each["FunctionName"] for each in events if each["EventType"] in _DONE}
    for event in events:
        kind = event["EventType"]
        if kind == "EventRaised":
            step, chunk, _attempt = event["Name"].split(".")
            yield f"heard of {step} {chunk}"
        elif kind in _DONE:
            yield f"did {event['FunctionName']}"
        elif kind in _FAILED and event["FunctionName"] not in done:
            yield f"failed in {event['FunctionName']}"


def _get(url: str, path: str, query: Mapping[str, str]) -> Any:
    response = httpx.get(f"{url}{INSTANCES}{path}", params=query, timeout=10, trust_env=False)
    return response.raise_for_status().json()
