"""The drop folder: a file that lies still in it becomes a job, and its dropper is told what came of it."""
