"""The tables of allowed transitions, row by row."""

import pytest

from contracts import jobs, steps, workflows

JOB_ROWS = [
    ("pending_upload", "queued"),
    ("pending_upload", "expired"),
    ("pending_upload", "cancelled"),
    ("queued", "processing"),
    ("queued", "failed"),
    ("queued", "cancelled"),
    ("processing", "completed"),
    ("processing", "partial_complete"),
    ("processing", "failed"),
    ("processing", "cancelled"),
]
STEP_ROWS = [
    ("pending", "processing"),
    ("pending", "skipped"),
    ("pending", "cancelled"),
    ("pending", "failed"),
    ("processing", "completed"),
    ("processing", "failed"),
    ("processing", "skipped"),
    ("processing", "cancelled"),
]


@pytest.mark.parametrize("current", jobs.JobStatus)
@pytest.mark.parametrize("following", jobs.JobStatus)
def test_job_may_go_only_where_its_table_says(current: jobs.JobStatus, following: jobs.JobStatus) -> None:
    assert jobs.may_follow(current, following) == ((current.value, following.value) in JOB_ROWS)


@pytest.mark.parametrize("current", steps.StepStatus)
@pytest.mark.parametrize("following", steps.StepStatus)
def test_step_may_go_only_where_its_table_says(
    current: steps.StepStatus, following: steps.StepStatus
) -> None:
    assert steps.may_follow(current, following) == ((current.value, following.value) in STEP_ROWS)


def test_terminal_job_statuses_are_those_that_people_see_at_the_end() -> None:
    assert {status.value for status in jobs.TERMINAL} == {
        "completed",
        "partial_complete",
        "failed",
        "cancelled",
        "expired",
    }


@pytest.mark.parametrize(
    ("workflow", "expected"),
    [
        ("full_pipeline", ["prepare", "lid", "transcribe", "translate", "summarize"]),
        ("transcribe_only", ["prepare", "transcribe"]),
        ("lid_only", ["prepare", "lid"]),
        ("translate_only", ["translate"]),
        ("summarize_only", ["summarize"]),
    ],
)
def test_workflow_has_its_steps_in_order(workflow: str, expected: list[str]) -> None:
    assert [step.value for step in workflows.steps_of(jobs.Workflow(workflow))] == expected


def test_translation_and_summary_run_side_by_side_and_do_not_fail_the_job() -> None:
    last_group = workflows.STAGES[jobs.Workflow.FULL_PIPELINE][-1]
    assert [(stage.step.value, stage.essential) for stage in last_group] == [
        ("translate", False),
        ("summarize", False),
    ]
