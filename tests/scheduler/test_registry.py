from importlib.metadata import EntryPoint

import pytest

import scheduler.registry as registry
from jupiter.errors import InputError
from scheduler.heft import heft


def plugins(monkeypatch, **targets):
    entries = [EntryPoint(name, value, registry.GROUP) for name, value in targets.items()]
    monkeypatch.setattr(registry, "entry_points", lambda group: entries)
    monkeypatch.setattr(registry, "_registered", dict(registry._registered))


def test_built_in_schedulers_are_there():
    assert registry.get("heft") is heft
    assert {"heft", "round_robin", "static"} <= set(registry.names())


def test_an_unknown_name_gets_the_nearest():
    with pytest.raises(InputError, match=r"no scheduler 'hefty'[\s\S]*did you mean 'heft'"):
        registry.get("hefty")
    with pytest.raises(InputError, match="use one of: heft, round_robin, static"):
        registry.get("zzz")


def test_a_decorated_function_is_found(monkeypatch):
    plugins(monkeypatch)

    @registry.scheduler("mine")
    def mine(problem):
        return heft(problem)

    assert registry.get("mine") is mine
    with pytest.raises(ValueError, match="already a scheduler named 'mine'"):
        registry.scheduler("mine")(heft)


def test_an_entry_point_is_found(monkeypatch):
    plugins(monkeypatch, other="scheduler.round_robin:round_robin")
    assert "other" in registry.names()
    assert registry.get("other").__name__ == "round_robin"


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("no_such_module:f", "can't be loaded"),
        ("scheduler.heft:nothing", "can't be loaded"),
        ("scheduler.registry:GROUP", "is not a function"),
    ],
)
def test_a_broken_entry_point_is_named(monkeypatch, target, message):
    plugins(monkeypatch, broken=target)
    with pytest.raises(InputError, match=message):
        registry.get("broken")
