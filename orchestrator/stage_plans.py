"""From the App as its author wrote it to the plans that nodes work by."""

from __future__ import annotations

from dispatcher.messages import ServicePlan, StagePlan
from jupiter.app import App, LatePolicy, Trigger


def stage_plans(app: App) -> list[StagePlan]:
    """Every task of the app, in the order of its config."""
    policy = app.timing.late if app.timing is not None else LatePolicy.LATE
    return [
        StagePlan(
            name=task.name,
            module=task.module,
            parents=app.parents(task.name),
            children=task.children,
            output_policy=task.output_policy,
            executor=task.executor,
            files_per_call=task.files_per_call,
            args=task.args,
            retries=task.retries,
            timeout_ns=task.timeout_ns,
            memory_bytes=task.memory_bytes,
            time_triggered=task.trigger is Trigger.TIME,
            late_policy=task.timing.late or policy,
        )
        for task in app.tasks.values()
    ]


def place_services(app: App, default_node: str) -> dict[str, str]:
    """Service → node: where its author says, else the default."""
    return {service.name: service.node or default_node for service in app.services.values()}


def service_plans(app: App, placement: dict[str, str], node: str) -> list[ServicePlan]:
    """The services that run on ``node``."""
    return [
        ServicePlan(service.name, service.argv, service.children)
        for service in app.services.values()
        if placement[service.name] == node
    ]
