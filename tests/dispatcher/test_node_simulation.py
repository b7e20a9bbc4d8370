"""Whatever is killed and cut, every job ends once and rightly, and is forgotten (model-based)."""

from __future__ import annotations

import asyncio
import random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from node_simulation import Plan, World, job_name

from dispatcher.messages import StagePlan
from jupiter.app import HOME
from jupiter.events import JobDone, JobFailed

KILLS = st.integers(0, 6)
SEEDS = st.integers(0, 2**32)
STEPS = st.sampled_from((100, 300, 600, 1200))
"""How long harm is done; the shorter, the more of it hits the work and not the rest after it."""
MODEL = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def random_dag(rng: random.Random, nodes: list[str], timed: float = 0.0) -> list[StagePlan]:
    """Up to six tasks; every one is reached from home and reaches home."""
    names = [f"t{number}" for number in range(rng.randint(1, 6))]
    parents: dict[str, list[str]] = {name: [] for name in names}
    for place, name in enumerate(names):
        pool = [HOME, *names[:place]]
        parents[name] = rng.sample(pool, rng.randint(1, min(3, len(pool))))
        if HOME not in parents[name] and rng.random() < 0.2:
            parents[name].append(HOME)
    stages = []
    for name in names:
        children = [other for other in names if name in parents[other]]
        if not children or rng.random() < 0.2:
            children.append(HOME)
        is_timed = rng.random() < timed
        stages.append(
            StagePlan(
                name=name,
                module=name,
                parents=tuple(parents[name]),
                children=tuple(children),
                output_policy="broadcast",
                executor=rng.choice(("isolated", "isolated", "streaming")),
                retries=rng.randint(0, 2),
                time_triggered=is_timed,
                late_policy=rng.choice(("late", "skip", "hold_last", "event"))
                if is_timed
                else "late",
            )
        )
    return stages


def random_plan(rng: random.Random, *, timed: float = 0.0) -> Plan:
    nodes = [HOME, *(f"n{number}" for number in range(rng.randint(0, 3)))]
    stages = random_dag(rng, nodes, timed)
    jobs = rng.randint(1, 12)
    plan = Plan(
        stages=stages,
        placement={stage.name: rng.choice(nodes) for stage in stages},
        nodes=nodes,
        jobs=jobs,
        window=rng.randint(1, 4),
        parallel_calls=rng.randint(1, 3),
    )
    for index in range(jobs):
        for stage in stages:
            chance = rng.random()
            if chance < 0.03:
                plan.doomed.add((index, stage.name))
            elif chance < 0.1:
                plan.flaky[index, stage.name] = rng.randint(0, stage.retries)
    if timed:
        plan.period_ns = 100
        plan.lead_ns = rng.choice((0, 50, 250))
        plan.window = 100
        for stage in stages:
            if stage.time_triggered:
                plan.offsets_ns[stage.name] = rng.randint(0, 300)
    return plan


def tell(plan: Plan, seed: int, kills: int, cuts: int, steps: int) -> World:
    """Run one story; the real shell wants a running loop when it is made."""

    async def main() -> World:
        world = World(plan, seed)
        world.run(steps, kills, cuts)
        return world

    return asyncio.run(main())


def doomed_jobs(plan: Plan) -> set[str]:
    return {job_name(index) for index, _ in plan.doomed}


@MODEL
@given(seed=SEEDS, kills=KILLS, cuts=st.integers(0, 10), steps=STEPS)
def test_every_job_ends_once_whatever_is_killed(
    seed: int, kills: int, cuts: int, steps: int
) -> None:
    plan = random_plan(random.Random(seed))
    world = tell(plan, seed, kills, cuts, steps)
    assert set(world.ends_of(JobFailed)) == doomed_jobs(plan)


@MODEL
@given(seed=SEEDS)
def test_without_harm_every_end_is_told_once(seed: int) -> None:
    plan = random_plan(random.Random(seed))
    world = tell(plan, seed, 0, 0, steps=0)
    assert sorted(world.ends_of(JobFailed)) == sorted(doomed_jobs(plan))
    assert len(world.ends_of(JobDone)) == plan.jobs - len(doomed_jobs(plan))
    assert world.warnings() == []


@MODEL
@given(seed=SEEDS, kills=KILLS, cuts=st.integers(0, 6), steps=STEPS)
def test_timed_jobs_end_once_whatever_is_killed(
    seed: int, kills: int, cuts: int, steps: int
) -> None:
    """late and event never give a job up; skip and hold_last may, and say so."""
    plan = random_plan(random.Random(seed), timed=0.6)
    world = tell(plan, seed, kills, cuts, steps)
    policies = {stage.late_policy for stage in plan.stages if stage.time_triggered}
    if not policies & {"skip", "hold_last"}:
        assert set(world.ends_of(JobFailed)) == doomed_jobs(plan)
