"""Whether a run is still wanted: the store says so, and everything that begins work asks it."""

from contracts import jobs
from function_app import run_inputs
from function_app.store import job_store


def is_over(store: job_store.JobStore, identity: run_inputs.RunIdentity) -> bool:
    """True when the run was cancelled, has ended otherwise, or is not the job's current run."""
    job = store.find(identity.job_id)
    return job is None or job.run != identity.run or job.status in jobs.TERMINAL
