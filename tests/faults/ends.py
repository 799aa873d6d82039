"""The ends of jobs and steps: waited for, and measured from the kills before them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final

import client
from client import errors
from contracts import api, jobs
from tests.faults import attempts, monkey

LOOK_EVERY_SECONDS: Final = 0.5


def wait(speech: client.SpeechFlow, job_ids: Sequence[str], *, deadline: float) -> Mapping[str, api.JobView]:
    """Every job as it stands when all have ended, or at the deadline of the monotonic clock.

    Raises SpeechFlowError when the server does not answer even then.
    """
    views: dict[str, api.JobView] = {}
    while True:
        late = time.monotonic() > deadline
        for job_id in job_ids:
            if job_id not in views or views[job_id].status not in jobs.TERMINAL:
                _look(speech, job_id, views, demand=late)
        if late or (len(views) == len(job_ids) and all(v.status in jobs.TERMINAL for v in views.values())):
            return views
        time.sleep(LOOK_EVERY_SECONDS)


def _look(speech: client.SpeechFlow, job_id: str, views: dict[str, api.JobView], *, demand: bool) -> None:
    try:
        views[job_id] = speech.get(job_id)
    except errors.SpeechFlowError as error:
        if demand or not error.retryable:
            raise


def progress_seconds(
    kills: Sequence[monkey.Kill], views: Sequence[api.JobView], worked: Sequence[attempts.Attempt]
) -> Iterator[float]:
    """For each kill at which jobs ran, how long it took until a step or a chunk ended."""
    moments = sorted([*_step_ends(views), *(each.ended_at for each in worked if each.ended_at)])
    for kill in kills:
        if any(_runs(view, kill.at) for view in views):
            yield next(((at - kill.at).total_seconds() for at in moments if at > kill.at), float("inf"))


def _step_ends(views: Sequence[api.JobView]) -> Iterator[datetime]:
    for view in views:
        for step in view.steps:
            if step.finished_at is not None:
                yield step.finished_at


def _runs(view: api.JobView, at: datetime) -> bool:
    return view.created_at <= at and (view.finished_at is None or view.finished_at > at)
