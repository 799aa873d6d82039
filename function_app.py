"""The file that the Functions host looks for. It is never executed: the package `function_app/` shadows it.

docs/decisions/0001-layout.md says why both exist.
"""

raise ImportError("the package function_app/ must shadow this file, and it cannot be imported")
