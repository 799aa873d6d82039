"""The app object: every function of the app, registered once."""

import azure.functions as func
from azure.durable_functions import DFApp

from function_app import activities, logs, orchestrators, triggers

logs.configure()

app = DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)

for _blueprint in (orchestrators.blueprint, activities.blueprint, *triggers.BLUEPRINTS):
    app.register_functions(_blueprint)
