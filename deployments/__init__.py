"""What runs when, who is told, and `onc-mirror deploy`, which makes a Prefect server hold just that.

The files beside this are the declaration: `prefect.yaml` (the work pool and the deployments), `automations.yaml` (who
is told of what) and `logging.yml` (for workers and servers). Flows are named in them, and nowhere imported.
"""
