"""JSON Schemas that ship with Jupiter, for editors; see :mod:`jupiter.app_schema`."""
