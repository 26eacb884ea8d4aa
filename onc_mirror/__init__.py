"""What a mirror of the ONC archive is: the domain of onc-mirror, without any orchestrator.

Nothing at or below this package imports Prefect, so that everything here is testable in milliseconds and
keeps one identity however a flow is loaded.
"""
