"""Small apps as users of every earlier Jupiter have them, in their own dialects."""

from __future__ import annotations

from pathlib import Path

from tiny_apps import write_app

V4_TASKS = {
    "task0": (1, "false", "task1 task2 "),
    "task1": (1, "true", "task3 keeper"),
    "task2": (1, "true", "task3"),
    "task3": (2, "true", "task4"),
    "task4": (1, "true", "home"),
    "keeper": (1, "false", "keeper"),
}
"""As in a generated v4 app: scatter, join, a service as a self-loop, trailing blanks."""

V4_CONFIG = """{
    "taskname_map": {
        "task0": ["spread", true],
        "task1": ["pass_on", true],
        "task2": ["pass_on", true],
        "task3": ["stitch", true],
        "task4": ["finish", true],
        "keeper": ["keeper", false, 0, "three words here"]
    },
    "exec_profiler": {"task0": true, "task1": true, "task2": true, "task3": true, "task4": false},
    "PortNum": 57021,
    "greeting": "seen through /centralized_scheduler/config.json"
}
"""

SPREAD = """
import json
import os
import subprocess

HERE = "/centralized_scheduler/"


def task(filename, pathin, pathout):
    assert isinstance(filename, str)
    me = os.environ["TASK"]
    with open("/centralized_scheduler/communication.txt") as lines:
        sizes = {line.split(" ")[0]: line.split(" ")[1:-1] for line in lines}
    for size in sizes[me]:
        child, kilobytes = size.split("-")
        name = os.path.join(pathout, filename + "_" + me + "_" + child)
        subprocess.check_call([HERE + "generate_random_files.sh", name, kilobytes])
    return [os.path.join(pathout, name) for name in os.listdir(pathout)]


def main():
    raise RuntimeError("profiling runs task() on real inputs, never main()")
"""

GENERATE = """#!/bin/sh
# The size is in KB; the content says which file it is, and the rest is random.
basename "$1" > "$1"
head -c "$(echo "$2 * 1024 / 1" | awk '{print int($1 * 1024)}')" /dev/urandom >> "$1"
"""

PASS_ON = """
import os
import shutil


def task(filename, pathin, pathout):
    shutil.copy(os.path.join(pathin, filename), os.path.join(pathout, filename + "+"))
"""

STITCH = """
import json
import os


def task(filenames, pathin, pathout):
    assert isinstance(filenames, list) and len(filenames) == 2
    heads = []
    for name in filenames:
        with open(os.path.join(pathin, name), "rb") as file:
            heads.append(file.readline().decode().strip())
    with open(os.path.join("/", "centralized_scheduler", "config.json")) as config:
        heads.append(json.load(config)["greeting"].split(" ")[0])
    job = filenames[0].split("_")[0]
    with open(os.path.join(pathout, job + "_stitched"), "w") as out:
        json.dump({"names": filenames, "heads": heads}, out)
    return ["a value that nobody should trust"]
"""

FINISH = """
import os
import time


def task(filename, pathin, pathout):
    while filename.startswith("10") and not os.path.exists("{said}"):
        time.sleep(0.001)  # the run must not end before its service has begun
    with open(os.path.join(pathin, filename)) as source:
        text = source.read()
    names = ["TASK", "FLAG", "INPUTNUM", "CHILD_NODES", "NODE_NAME"]
    text += "\\n" + " ".join(os.environ[name] for name in names)
    with open(os.path.join(pathout, filename.replace("stitched", "done")), "w") as out:
        out.write(text)
"""

KEEPER = """
import json
import os
import signal
import sys

with open("/centralized_scheduler/config.json") as config:
    assert "keeper" in json.load(config)["taskname_map"]
print(json.dumps({"argv": sys.argv[1:], "pid": os.getpid(), "nodes": os.environ["ALL_NODES"]}))
open("SAID", "w").close()
signal.pause()
"""


def v4_app(folder: Path) -> Path:
    """Scatter and join with real shell scripts, hard-coded paths, and a service."""
    lines = [
        f"{task} {count} {flag} {children}" for task, (count, flag, children) in V4_TASKS.items()
    ]
    said = folder.parent / "keeper_has_begun"
    app = write_app(
        folder,
        {
            "name_convert.txt": "input botnet botnet\ntask0 botnet botnet\n",
            "app_config.ini": "[DOCKER_PORT]\nPYTHON-PORT = 57021\n"
            "[SVC_PORT]\nPYTHON-PORT = 57021\n",
            "scripts/config.json": V4_CONFIG,
            "scripts/communication.txt": "task0 task1-2.5 task2-0.75 \n",
            "scripts/generate_random_files.sh": GENERATE,
            "scripts/spread.py": SPREAD,
            "scripts/pass_on.py": PASS_ON,
            "scripts/stitch.py": STITCH,
            "scripts/finish.py": FINISH.replace("{said}", str(said)),
            "scripts/keeper.py": KEEPER.replace("SAID", str(said)),
        },
        inputs={f"{number}botnet.ipsum": str(number) for number in (1, 2, 10)},
    )
    (app / "configuration.txt").write_text("\n".join([str(len(lines)), *lines]))
    (app / "scripts" / "generate_random_files.sh").chmod(0o755)
    return app


UPPER = """
import os


def task(filename, pathin, pathout):
    names = [filename] if isinstance(filename, str) else filename
    text = ""
    for name in names:
        with open(os.path.join(pathin, name)) as source:
            text += source.read()
    with open(os.path.join(pathout, os.environ["TASK"] + "_" + names[0]), "w") as out:
        out.write(text.upper() + "<" + os.environ["TASK"])
"""


def circe_2017_app(folder: Path) -> Path:
    """Scripts beside the config, a mapping behind the DAG, ``scheduler`` as the sink."""
    return write_app(
        folder,
        {
            "configuration.txt": """
                3
                local_pro 1 false left right
                left 1 true scheduler
                right 1 true scheduler
                local_pro node1
                left node2
                right node1
                """,
            "nodes.txt": """
                scheduler ubuntu@localhost not-a-secret-to-keep
                node1 ubuntu@localhost not-a-secret-to-keep
                node2 ubuntu@localhost not-a-secret-to-keep
                """,
            "local_pro.py": """
                def task(filename, pathin, pathout):
                    for name in ("left.txt", "right.txt"):
                        with open(pathin + "/" + filename) as source:
                            with open(pathout + "/" + name, "w") as out:
                                out.write(source.read())
                """,
            "left.py": UPPER,
            "right.py": UPPER,
        },
        inputs={"1.txt": "one", "2.txt": "two"},
    )


V5_LOOP = """
import os
import time

parts = {}


def task(q, pathin, pathout, task_name):
    children = CHILDREN[task_name]
    while True:
        if q.empty():
            time.sleep(0.001)
            continue
        name = q.get()
        source, me, base = name.split("_", maxsplit=2)
        assert me == task_name
        while base == "c.txt" and not os.path.exists("SAID"):
            time.sleep(0.001)  # the run must not end before its service has begun
        with open(os.path.join(pathin, name)) as file:
            text = file.read()
        if task_name == "join":
            parts.setdefault(base, {})[source] = text
            if len(parts[base]) < 2:
                continue
            both = parts.pop(base)
            text = both["left"] + "&" + both["right"]
        for child in children:
            with open(os.path.join(pathout, task_name + "_" + child + "_" + base), "w") as out:
                out.write(text + ">" + task_name)


def profile_execution(task_name):
    raise RuntimeError("not needed: tasks are tried with real inputs")
"""


def v5_app(folder: Path) -> Path:
    """Loops that choose the child by the name they write, and keep a join's parts themselves."""
    said = folder.parent / "globalinfo_has_begun"
    children = {"first": ["left", "right"], "left": ["join"], "right": ["join"], "join": ["home"]}
    dag = "\n".join(
        f"      - {{name: {task}, base_script: work.py, children: [{', '.join(to)}]}}"
        for task, to in children.items()
    )
    app = write_app(
        folder,
        {
            "work.py": f"CHILDREN = {children!r}\n" + V5_LOOP.replace("SAID", str(said)),
            "globalinfo.py": f"""
                import json
                import os
                import signal

                names = ["MY_TASK_NAME", "CIRCE_TASK_TO_IP", "CIRCE_NONDAG_TASK_TO_IP"]
                print(json.dumps({{name: os.environ[name] for name in names}}))
                open({str(said)!r}, "w").close()
                signal.pause()
                """,
            "home.py": "raise RuntimeError('home is built in')\n",
        },
        inputs={"a.txt": "a", "b_with_lines.txt": "b", "c.txt": "c"},
        sample_input="sample_inputs",
    )
    (app / "app_config.yaml").write_text(
        "jupiter_config: {namespace_prefix: zxc, task_mapper: heft, circe: original}\n"
        "node_map: {home: master, node1: n0, node2: n1}\n"
        "application:\n"
        '  port_mappings: ["9000:8000"]\n'
        "  tasks:\n"
        "    nondag_tasks:\n"
        "      - {name: globalinfo, base_script: globalinfo.py, k8s_host: n0, children: [first]}\n"
        "    home: {base_script: home.py, children: [first]}\n"
        f"    dag_tasks:\n{dag}\n"
    )
    return app


def two_cameras_app(folder: Path) -> Path:
    """Two ingress tasks, each of which takes two files per job, as JupiterTP's image apps do."""
    return write_app(
        folder,
        {
            "configuration.txt": """
                3
                near 2 true both
                far 2 true both
                both 2 true home
                """,
            "scripts/near.py": UPPER,
            "scripts/far.py": UPPER,
            "scripts/both.py": UPPER,
        },
        inputs={f"{number}{side}.txt": f"{number}{side}" for number in (1, 2) for side in "lr"},
    )


def wave_table_app(folder: Path) -> Path:
    """Only a table of parents and children."""
    return write_app(
        folder,
        {
            "DAG_Scheduler.txt": """
                parent  children
                start   left right
                left    end
                right   end
                """,
            **{f"scripts/{name}.py": UPPER for name in ("start", "left", "right", "end")},
        },
        inputs={"x.txt": "x"},
    )


def transitional_app(folder: Path) -> Path:
    """The yaml between v4 and v5."""
    return write_app(
        folder,
        {
            "app_config.yaml": """
                node_list: {home: h, node1: a, node2: b}
                application:
                  num_tasks: 2
                  task_list:
                    worker_tasks:
                      - name: start
                        inputs_to_wait_for: 1
                        output_policy: POINT_TO_POINT_BROADCAST
                        children: [end]
                      - name: end
                        inputs_to_wait_for: 1
                        output_policy: POINT_TO_POINT_BROADCAST
                        children: [home]
                """,
            "start.py": UPPER,
            "end.py": UPPER,
        },
        inputs={"x.txt": "x"},
    )
