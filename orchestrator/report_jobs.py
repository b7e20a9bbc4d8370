"""The report's figures of jobs: how many, how long, what came out, what failed and why."""

from __future__ import annotations

from collections import defaultdict

from jupiter.events import JobDone, JobFailed, TaskFailed
from orchestrator.figures import Figures, elapsed, percentile, rate_per_s, spread
from orchestrator.report_data import RunData

SUCCEEDED, FAILED, INCOMPLETE = "succeeded", "failed", "incomplete"


def status(data: RunData) -> str:
    """``succeeded`` only if every job that was expected or released came home."""
    if data.failed:
        return FAILED
    expected = data.lock.jobs_expected
    missing = expected is not None and len(data.done) < expected
    return INCOMPLETE if missing or data.unfinished or not data.done else SUCCEEDED


def job_figures(data: RunData) -> Figures:
    """Counts, end-to-end latency (home's own clock, release to last output) and throughput."""
    latencies = {
        job: latency_ns
        for job, done in data.done.items()
        if (latency_ns := _latency_ns(data, done)) is not None
    }
    return {
        "expected": data.lock.jobs_expected,
        "released": len(data.released),
        "done": len(data.done),
        "failed": len(data.failed),
        "unfinished": len(data.unfinished),
        "latency": spread(latencies.values()),
        "slowest_job": max(latencies, key=lambda job: (latencies[job], job), default=None),
        "stream_ns": _stream_ns(data),
        "throughput_per_s": rate_per_s(len(data.done), _stream_ns(data) or 0),
        "first_output_ns": _first_output_ns(data),
    }


def _latency_ns(data: RunData, done: JobDone) -> int | None:
    """From a job's release to its end. A periodic job's release is its instant on the timeline,
    which its files leave home ahead of, so as to be there in time.
    """
    if done.at is None:
        return None
    event = data.released.get(done.job)
    if event is not None and event.release_ns is not None:
        return done.at.estimate_ns - event.release_ns
    release = data.release_of(done)
    return None if release is None else elapsed(release, done.at).estimate_ns


def _stream_ns(data: RunData) -> int | None:
    """From the first release to the last job's end, on home's clock."""
    ended: list[JobDone | JobFailed] = [*data.done.values(), *data.failed.values()]
    ends = [event.at.core_ns for event in ended if event.at is not None]
    begins = [stamp.core_ns for event in ended if (stamp := data.release_of(event)) is not None]
    return max(ends) - min(begins) if ends and begins else None


def _first_output_ns(data: RunData) -> int | None:
    """From the first phase to the first job done; None unless one clock saw both."""
    begins = [phase.core_ns for phase in data.phases if phase.core_ns is not None]
    ends = [done.at.core_ns for done in data.done.values() if done.at is not None]
    if not begins or not ends or not data.lock.one_machine:
        return None
    return min(ends) - min(begins)


def output_figures(data: RunData) -> Figures:
    """Every output file with its size, by job, below the outputs folder."""
    jobs = {job: dict(done.outputs) for job, done in data.done.items()}
    sizes = [size for files in jobs.values() for size in files.values()]
    return {
        "folder": str(data.folder.outputs.resolve()),
        "files": len(sizes),
        "bytes": sum(sizes),
        "median_bytes": percentile(sorted(sizes), 50) if sizes else None,
        "jobs": jobs,
    }


def failure_figures(data: RunData) -> list[Figures]:
    """One entry per failed job: where, why, and the end of what the task wrote to stderr."""
    last: dict[tuple[str, str], TaskFailed] = {}
    for each in data.failed_calls:
        last[each.job, each.task] = each
    failures = []
    for job, failed in data.failed.items():
        call = last.get((job, failed.task))
        letter = data.folder.dead_letter / job / failed.task
        failures.append(
            {
                "job": job,
                "task": failed.task,
                "reason": failed.reason,
                "node": call.node if call else None,
                "attempts": call.attempt if call else None,
                "exit_code": call.exit_code if call else None,
                "stderr_tail": call.stderr_tail if call else "",
                "dead_letter": str(letter.resolve()) if letter.is_dir() else None,
            }
        )
    return failures


def failed_call_figures(data: RunData) -> list[Figures]:
    """Failed calls that look the same, counted together, most frequent first."""
    groups: dict[tuple[str, str], list[TaskFailed]] = defaultdict(list)
    for call in data.failed_calls:
        groups[call.task, call.reason].append(call)
    figures = [
        {
            "task": task,
            "reason": reason,
            "count": len(calls),
            "retried": sum(call.retried for call in calls),
            "nodes": sorted({call.node for call in calls}),
            "example_job": calls[0].job,
            "stderr_tail": calls[0].stderr_tail,
        }
        for (task, reason), calls in groups.items()
    ]
    return sorted(figures, key=lambda group: (-group["count"], group["task"], group["reason"]))
