"""The tour of docs/coordination.md, word by word, with a shorter lease."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TEXT = (Path(__file__).resolve().parents[3] / "docs" / "coordination.md").read_text("utf-8")
TOUR = TEXT.partition("## A tour with curl")[2].partition("\n## ")[0]


def shorter(words):
    """So that nobody waits eleven seconds for a test."""
    return words.replace('"5s"', '"1s"').replace('"6s"', '"2s"').replace("sleep 1", "sleep 0.1")


def steps():
    """(command, what it prints) of the second terminal."""
    found = []
    for block in re.findall(r"```\n(\$ .*?)```", TOUR, re.S):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append((line[2:], []))
            else:
                found[-1][1].append(line)
    return [(command, "\n".join(lines)) for command, lines in found]


@pytest.fixture
def served(tmp_path):
    """The address that the first terminal's commands serve."""
    (first,) = re.findall(r"```\n(printf .*?)```", TOUR, re.S)
    write, run = shorter(first).strip().splitlines()
    subprocess.run(["sh", "-c", write], cwd=tmp_path, check=True)
    process = subprocess.Popen(
        ["sh", "-c", f"exec env {run} --port 0".replace("python", sys.executable, 1)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.getcwd()},
        stdout=subprocess.PIPE,
        text=True,
    )
    yield process.stdout.readline().split()[1].removesuffix("/api/service/")
    process.terminate()
    process.communicate()


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl: apt-get install curl")
def test_the_tour_prints_what_it_says(served, tmp_path):
    mark = "=====end of a step====="
    script = "".join(f"{shorter(command)}\necho; echo '{mark}'\n" for command, _ in steps())
    script = script.replace("http://127.0.0.1:8502", served)
    done = subprocess.run(
        ["sh"], input=script, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    printed = [part.strip() for part in done.stdout.split(mark)[:-1]]
    masked = [re.sub(r'("silent_ns|"free_in_ns)":[1-9]\d*', r'\1":#', part) for part in printed]
    said = [text.replace(":5000000000,", ":1000000000,").replace(":6000000000,", ":2000000000,")
            for _, text in steps()]  # fmt: skip
    assert masked == said
    assert len(said) > 12
