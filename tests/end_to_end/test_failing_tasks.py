"""Tasks that fail: visible, retried as often as said, kept as dead letters, and nobody is stuck."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jupiter_command import Ended, Jupiter
from tiny_apps import COPY, numbered_inputs, write_app

from jupiter.events import JobDone, JobFailed, TaskFailed

MIXED = {
    "app.yaml": """
        tasks:
          raises: {retries: 1}
          hangs: {retries: 0, timeout: 300ms}
          leaves: {retries: 0}
          silent: {retries: 0}
          stubborn: {retries: 2}
          streams: {executor: streaming, retries: 1}
          dies: {executor: streaming, retries: 1}
          gather:
            inputs: [raises, hangs, leaves, silent, stubborn, streams, dies]
            outputs: home
        """,
    "scripts/raises.py": """
        import sys
        from pathlib import Path

        def task(name, pathin, pathout):
            number = (Path(pathin) / name).read_text()
            if number == "2":
                print("a word before the end", file=sys.stderr)
                raise ValueError("two is too much")
            (Path(pathout) / "raises").write_text(number)
        """,
    "scripts/hangs.py": """
        import signal
        from pathlib import Path

        def task(name, pathin, pathout):
            number = (Path(pathin) / name).read_text()
            if number == "3":
                signal.pause()
            (Path(pathout) / "hangs").write_text(number)
        """,
    "scripts/leaves.py": """
        import os
        import sys
        from pathlib import Path

        def task(name, pathin, pathout):
            number = (Path(pathin) / name).read_text()
            if number == "4":
                print("gone fishing", file=sys.stderr, flush=True)
                os._exit(7)
            (Path(pathout) / "leaves").write_text(number)
        """,
    "scripts/silent.py": """
        from pathlib import Path

        def task(name, pathin, pathout):
            number = (Path(pathin) / name).read_text()
            if number != "5":
                (Path(pathout) / "silent").write_text(number)
        """,
    "scripts/stubborn.py": """
        from pathlib import Path

        SEEN = Path(__file__).parent / "seen"

        def task(name, pathin, pathout):
            number = (Path(pathin) / name).read_text()
            if number == "6":
                with SEEN.open("a") as seen:
                    seen.write("x")
                if len(SEEN.read_text()) < 3:
                    raise RuntimeError("not yet")
            (Path(pathout) / "stubborn").write_text(number)
        """,
    "scripts/streams.py": """
        class Stage:
            def __init__(self, context):
                self.calls = 0

            def process(self, job, inputs):
                self.calls += 1
                if inputs["home"] == b"7":
                    raise KeyError("no seven here")
                return [("streams", inputs["home"])]
        """,
    "scripts/dies.py": """
        import os
        from pathlib import Path

        SEEN = Path(__file__).parent / "died"

        class Stage:
            def __init__(self, context):
                self.calls = 0

            def process(self, job, inputs):
                if inputs["home"] == b"8" and not SEEN.exists():
                    SEEN.touch()
                    os._exit(9)
                return [("dies", inputs["home"])]
        """,
    "scripts/gather.py": """
        from pathlib import Path

        def task(names, pathin, pathout):
            parts = [(Path(pathin) / name).read_text() for name in names]
            (Path(pathout) / "all.txt").write_text(" ".join(parts))
        """,
}
JOBS = 10
FAILED = {2: "raises", 3: "hangs", 4: "leaves", 5: "silent", 7: "streams"}
"""The content of a job → the task that fails for it."""


def job(number: int) -> str:
    return f"mixed-{number - 1:06d}"


@pytest.fixture(scope="module")
def mixed(shared_jupiter: Jupiter) -> Ended:
    """Ten jobs through tasks of which each has one that it can't do."""
    app = write_app(shared_jupiter.folder / "mixed", MIXED, inputs=numbered_inputs(JOBS))
    return shared_jupiter.run(app)


def failures(mixed: Ended) -> dict[str, dict[str, object]]:
    return {failure["job"]: failure for failure in mixed.json["failures"]}


def test_the_exit_code_is_1_when_a_job_failed(mixed: Ended):
    mixed.expect(1)
    assert mixed.json["status"] == "failed"


def test_jobs_that_can_be_done_are_done_and_the_others_failed(mixed: Ended):
    assert failures(mixed).keys() == {job(number) for number in FAILED}
    done = {event.job for event in mixed.events if isinstance(event, JobDone)}
    assert done == {job(n) for n in range(1, JOBS + 1)} - failures(mixed).keys()
    counts = mixed.json["jobs"]
    assert (counts["done"], counts["failed"], counts["unfinished"]) == (5, 5, 0)


def test_outputs_of_failed_jobs_are_not_there(mixed: Ended):
    assert {name.split("/")[0] for name in mixed.outputs()} == {
        job(number) for number in range(1, JOBS + 1) if number not in FAILED
    }


def test_an_exception_is_told_with_exit_code_stderr_and_reason(mixed: Ended):
    failure = failures(mixed)[job(2)]
    assert failure["task"] == "raises"
    assert failure["exit_code"] == 1
    assert failure["attempts"] == 2
    assert "ValueError: two is too much" in str(failure["reason"])
    assert "a word before the end" in str(failure["stderr_tail"])
    assert "two is too much" in str(failure["stderr_tail"])


@pytest.mark.parametrize(
    ("number", "task", "attempts", "words"),
    [
        (3, "hangs", 1, "timed out after 0.3 s"),
        (4, "leaves", 1, "exit code 7"),
        (5, "silent", 1, "without writing any file"),
        (7, "streams", 2, "no seven here"),
    ],
)
def test_the_reason_of_a_failure_says_what_happened(
    mixed: Ended, number: int, task: str, attempts: int, words: str
):
    failure = failures(mixed)[job(number)]
    assert failure["task"] == task
    assert failure["attempts"] == attempts
    assert words in str(failure["reason"])
    assert failure["node"] == mixed.json["placement"][task]


def test_an_exit_without_an_exception_keeps_code_and_last_words(mixed: Ended):
    failure = failures(mixed)[job(4)]
    assert failure["exit_code"] == 7
    assert "gone fishing" in str(failure["stderr_tail"])


def test_every_attempt_is_an_event(mixed: Ended):
    calls = [event for event in mixed.events if isinstance(event, TaskFailed)]
    found = {(event.task, event.job, event.attempt): event.retried for event in calls}
    assert found == {
        ("raises", job(2), 1): True,
        ("raises", job(2), 2): False,
        ("hangs", job(3), 1): False,
        ("leaves", job(4), 1): False,
        ("silent", job(5), 1): False,
        ("stubborn", job(6), 1): True,
        ("stubborn", job(6), 2): True,
        ("streams", job(7), 1): True,
        ("streams", job(7), 2): False,
        ("dies", job(8), 1): True,
    }


def test_a_task_that_succeeds_at_its_third_attempt_is_no_failure(mixed: Ended):
    assert mixed.output(job(6), "all.txt") == "6 6 6 6 6 6 6"
    tasks = mixed.json["tasks"]
    assert (tasks["stubborn"]["failures"], tasks["stubborn"]["retries"]) == (2, 2)


def test_a_streaming_worker_that_dies_once_is_started_again(mixed: Ended):
    assert mixed.output(job(8), "all.txt") == "8 8 8 8 8 8 8"
    died = [e for e in mixed.events if isinstance(e, TaskFailed) and e.task == "dies"]
    assert [event.exit_code for event in died] == [9]


@pytest.mark.parametrize("number", list(FAILED))
def test_the_dead_letter_holds_what_is_needed_to_try_again(mixed: Ended, number: int):
    letter = mixed.folder.dead_letter / job(number) / FAILED[number]
    assert (letter / "inputs" / "home" / f"{number}.txt").read_text() == str(number)
    reason = json.loads((letter / "reason.json").read_text())
    assert (reason["job"], reason["task"]) == (job(number), FAILED[number])
    assert reason["reason"] == failures(mixed)[job(number)]["reason"]
    stderr = failures(mixed)[job(number)]["stderr_tail"]
    assert (letter / "stderr.txt").read_text() == stderr
    assert failures(mixed)[job(number)]["dead_letter"] == str(letter.resolve())


def test_only_failed_jobs_have_dead_letters(mixed: Ended):
    letters = {path.name for path in mixed.folder.dead_letter.iterdir()}
    assert letters == {job(number) for number in FAILED}


def test_failures_are_shown_as_they_happen_and_once(mixed: Ended):
    for number, task in FAILED.items():
        assert mixed.stderr.count(f"failed: {job(number)} at {task}: ") == 1


def test_every_failed_job_ends_once(mixed: Ended):
    ends = [event.job for event in mixed.events if isinstance(event, JobFailed)]
    assert sorted(set(ends)) == sorted(ends) == sorted(job(number) for number in FAILED)


# Runs of their own


@pytest.mark.parametrize(
    ("made", "words"), [(1, "wrote 1 file "), (3, "wrote 3 files ")], ids=["too few", "too many"]
)
def test_a_scatter_with_the_wrong_number_of_files_fails_the_job(
    jupiter: Jupiter, made: int, words: str
):
    app = write_app(
        jupiter.folder / "scattered",
        {
            "configuration.txt": """
                3
                split 1 false left right
                left 1 true home
                right 1 true home
                """,
            "scripts/split.py": f"""
                from pathlib import Path

                def task(name, pathin, pathout):
                    number = (Path(pathin) / name).read_text()
                    for part in range({made} if number == "2" else 2):
                        (Path(pathout) / f"{{number}}_{{part}}").write_text(number)
                """,
            "scripts/left.py": COPY,
            "scripts/right.py": COPY,
        },
        inputs=numbered_inputs(3),
    )
    ended = jupiter.run(app).expect(1)
    (failure,) = ended.json["failures"]
    assert (failure["job"], failure["task"]) == ("scattered-000001", "split")
    assert words in failure["reason"]
    assert "2 children" in failure["reason"]
    assert ended.json["jobs"]["done"] == 2


def test_a_task_that_fails_for_every_job_leaves_a_run_that_ends(jupiter: Jupiter):
    app = write_app(
        jupiter.folder / "hopeless",
        {
            "app.yaml": "tasks: {work: {retries: 0}, after: {inputs: work}}",
            "scripts/work.py": "def task(name, pathin, pathout):\n    raise OSError('never')\n",
            "scripts/after.py": COPY,
        },
        inputs=numbered_inputs(30),
    )
    ended = jupiter.run(app, nodes=2).expect(1)
    assert ended.json["jobs"]["failed"] == 30
    assert "work failed when it was tried" in ended.stderr
    (group,) = ended.json["failed_calls"]
    assert (group["task"], group["count"]) == ("work", 30)


def test_a_script_whose_import_fails_ends_the_run_with_its_reason(jupiter: Jupiter):
    app = write_app(
        jupiter.folder / "broken",
        {
            "app.yaml": "tasks: {work: {}}",
            "scripts/work.py": "import not_there\n\ndef task(a, b, c):\n    pass\n",
        },
        inputs=numbered_inputs(2),
    )
    ended = jupiter.run(app, nodes=2).expect(1)
    assert "No module named 'not_there'" in ended.stderr
    assert "work" in ended.stderr
    assert "Jupiter, not yours" not in ended.stderr


def test_a_link_that_leads_nowhere_is_no_input_file(jupiter: Jupiter, tmp_path: Path):
    app = write_app(
        jupiter.folder / "unreadable",
        {"app.yaml": "tasks: {work: {}}", "scripts/work.py": COPY},
        inputs={"1.txt": "1"},
    )
    (app / "sample_input" / "2.txt").symlink_to(tmp_path / "nowhere")
    ended = jupiter.run(app, nodes=1).expect(0)
    assert ended.json["jobs"]["expected"] == 1
