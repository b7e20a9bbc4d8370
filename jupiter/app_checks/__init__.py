"""What can be wrong with an app, one module per kind of fault; see :mod:`jupiter.app_check`."""
