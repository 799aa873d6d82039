"""The transition tables of the contracts, read backwards: an update names the statuses it may start from."""

from contracts import jobs, steps


def jobs_before(status: jobs.JobStatus) -> frozenset[jobs.JobStatus]:
    """The statuses that a run may leave for `status`."""
    return frozenset(one for one in jobs.JobStatus if jobs.may_follow(one, status))


def steps_before(status: steps.StepStatus) -> frozenset[steps.StepStatus]:
    """The statuses that a step may leave for `status`."""
    return frozenset(one for one in steps.StepStatus if steps.may_follow(one, status))


OPEN_STEPS = steps_before(steps.StepStatus.CANCELLED)
"""Steps that end when their run ends."""
