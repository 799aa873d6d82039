"""Activities: the orchestrators' hands. `blueprint` registers them."""

from function_app.activities.functions import blueprint

__all__ = ["blueprint"]
