"""Lets the tests of this folder share ``random_problems`` though it is no package."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
