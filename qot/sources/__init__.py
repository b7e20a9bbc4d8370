"""Timelines taken from chrony or linuxptp instead of the built-in exchange.

docs/clock_sources.md says how to use them and what the bound is made of.
"""

from qot.sources.base import Reading, Report, TimeSource
from qot.sources.chrony import ChronySettings, ChronySource
from qot.sources.linuxptp import LinuxptpSettings, LinuxptpSource
from qot.sources.probe import SourceProbe
from qot.sources.role import SourceConfig, SourceRole
from qot.sources.source_filter import SourceFilter

__all__ = [
    "ChronySettings",
    "ChronySource",
    "LinuxptpSettings",
    "LinuxptpSource",
    "Reading",
    "Report",
    "SourceConfig",
    "SourceFilter",
    "SourceProbe",
    "SourceRole",
    "TimeSource",
]
