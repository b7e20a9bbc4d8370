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


def service_plans(app: App, node: str, default_node: str) -> list[ServicePlan]:
    """The services that run on ``node``; those without a node of their own run on default_node."""
    return [
        ServicePlan(service.name, service.argv)
        for service in app.services.values()
        if (service.node or default_node) == node
    ]
