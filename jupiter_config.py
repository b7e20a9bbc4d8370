"""The operator's settings. Edit the values; every one can also come from the environment.

This file is read, never executed: a line is NAME = value, where a value is text, a number, True or
False, HERE + 'folder/', or os.environ['NAME']. JUPITER_WINDOW=4 in the environment wins.
A name that Jupiter does not know is an error, so a slip of the pen can't pass unseen.
"""

import os

# Relative paths count from this file's folder.
HERE = os.path.dirname(os.path.abspath(__file__)) + "/"

# The app that runs when a command names none, the nodes it runs on, and where runs are kept.
APP_PATH = HERE + "task_specific_files/hello/"
NODES_PATH = HERE + "nodes.txt"
RUNS_PATH = HERE + "runs/"

# The tasks that jobs enter by, joined by ':'. Empty: the tasks without parents.
HOME_CHILD = ""

# Who decides which task runs where: 'heft'. True takes the mapping that comes with the app instead.
SCHEDULER = "heft"
STATIC_MAPPING = False

# The most jobs in flight at once; it bounds every queue.
WINDOW = 8

# What random choices start from: the same seed gives the same run.
SEED = 1

# The ports that nodes may listen on, such as '20000-20099'. Empty: any that is free.
PORT_RANGE = ""
