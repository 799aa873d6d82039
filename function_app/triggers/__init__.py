"""Triggers: each a few lines that unpack what the host gives and call the module that knows what to do."""

from function_app.triggers import dead_letters, drop_folder, http, job_events, schedule, uploads

BLUEPRINTS = (
    http.blueprint,
    uploads.blueprint,
    drop_folder.blueprint,
    job_events.blueprint,
    dead_letters.blueprint,
    schedule.blueprint,
)
