"""The shipped JSON Schema is the one that the models make, and it agrees with the reader."""

from __future__ import annotations

import json

import jsonschema
import pytest
import yaml

from jupiter.app_formats import load_app
from jupiter.app_schema import SCHEMA_FILE, schema_text
from jupiter.errors import InputError


def test_shipped_schema_is_current():
    assert SCHEMA_FILE.read_text(encoding="utf-8") == schema_text(), (
        "run: python -m jupiter.app_schema"
    )


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("tasks: {a: {}}", True),
        ("tasks: {a: {inputs: b}, b: {args: [1, x, true], outputs: [a]}}", True),
        ("tasks: {a: {timeout: 1.5s, resources: {memory: 4KiB}}}", True),
        ("tasks: {a: {timing: {offset: 3 µs}}}", True),
        ("tasks: {a: {}}\nservices: {s: {command: [x, 1]}}", True),
        ("tasks: {a: {timeout: 1}}", False),
        ("tasks: {a: {timeout: -1s}}", False),
        ("tasks: {a: {nonsense: 1}}", False),
        ("tasks: {}", False),
        ("{}", False),
        ("tasks: {a: {}}\nservices: {s: {command: []}}", False),
        ("tasks: {a: {executor: magic}}", False),
        ("tasks: {'-a': {}}", False),
    ],
)
def test_schema_and_reader_agree(write, text, good):
    validator = jsonschema.Draft202012Validator(json.loads(schema_text()))
    assert validator.is_valid(yaml.safe_load(text)) is good
    try:
        load_app(write({"app.yaml": text}))
    except InputError:
        assert not good
    else:
        assert good
