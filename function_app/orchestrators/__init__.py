"""Orchestrators: pure generators, history in, actions out. `blueprint` registers them."""

from azure.durable_functions import Blueprint

from function_app.orchestrators import language_model_step, speech_pipeline, transcribe_lane

blueprint = Blueprint()

for _orchestrator in (
    speech_pipeline.speech_pipeline,
    transcribe_lane.transcribe_lane,
    language_model_step.language_model_step,
):
    blueprint.orchestration_trigger(context_name="context")(_orchestrator)
