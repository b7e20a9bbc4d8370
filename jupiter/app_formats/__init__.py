"""Reading APP folders: one module per dialect, one model (:class:`jupiter.app.App`) out.

Start at :mod:`jupiter.app_formats.load`, which finds out which dialect a folder is written in.
"""

from jupiter.app_formats.load import load_app

__all__ = ["load_app"]
