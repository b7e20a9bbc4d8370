"""Quartz's resources over HTTP. Every answer is held against the document by the fixture."""

import pytest

from qot.coordination.routes import ROUTES


@pytest.fixture
def wall(rest):
    assert rest("POST", "/timelines/", {"name": "wall"})[0] == 201
    return rest


def join(rest, name, **settings):
    return rest("POST", "/timelines/wall/nodes", {"name": name, "session": f"s{name}", **settings})


def test_timelines(rest):
    assert rest("GET", "/timelines/") == (200, {"timelines": []})
    status, made = rest("POST", "/timelines/", {"name": "gl_utc", "meta_data": 17})
    assert status == 201
    assert made == {"name": "gl_utc", "type": "global", "meta_data": 17, "handover_ns": None}
    assert rest("GET", "/timelines/gl_utc") == (200, made)
    assert rest("PUT", "/timelines/gl_utc", {"meta_data": "x"})[1]["meta_data"] == "x"
    assert rest("GET", "/timelines/")[1]["timelines"][0]["name"] == "gl_utc"
    assert rest("DELETE", "/timelines/gl_utc") == (200, {"deleted": "gl_utc"})
    assert rest("GET", "/timelines/gl_utc")[1]["code"] == "unknown"


def test_nodes_and_qot(wall):
    assert join(wall, "n1", accuracy="250us", resolution=10)[0] == 201
    assert join(wall, "n2.example:1")[0] == 201
    status, nodes = wall("GET", "/timelines/wall/nodes")
    assert (status, nodes["num_nodes"]) == (200, 2)
    assert wall("GET", "/timelines/wall/qot")[1] == {
        "accuracy": 250_000, "resolution": 10, "bound_ns": None,
    }  # fmt: skip
    status, member = wall(
        "PUT", "/timelines/wall/nodes/n1",
        {"session": "sn1", "accuracy": 10**9, "bound_ns": 7, "status": "synchronized", "epoch": 0},
    )  # fmt: skip
    assert (status, member["node"]["accuracy"], member["node"]["bound_ns"]) == (200, 10**9, 7)
    assert member["reference"]["state"] == "new"
    assert wall("GET", "/timelines/wall/nodes/n1")[1]["status"] == "synchronized"
    assert wall("DELETE", "/timelines/wall/nodes/n1?session=wrong")[1]["code"] == "no_session"
    assert wall("DELETE", "/timelines/wall/nodes/n1?session=sn1") == (200, {"deleted": "n1"})
    assert wall("GET", "/timelines/wall/nodes/n1")[0] == 404
    assert wall("DELETE", "/timelines/wall/nodes/n2.example:1")[0] == 200


@pytest.mark.parametrize("base", ["", "/timelines/wall"])
def test_servers(wall, base):
    new = {"name": "0.pool.example", "stratum": 2, "server_type": "global"}
    assert wall("POST", f"{base}/servers/", new) == (201, new)
    assert wall("POST", f"{base}/servers/", new)[1]["code"] == "exists"
    assert wall("GET", f"{base}/servers/")[1] == {"servers": [new]}
    assert wall("GET", f"{base}/servers/0.pool.example") == (200, new)
    assert wall("DELETE", f"{base}/servers/0.pool.example")[0] == 200
    assert wall("GET", f"{base}/servers/0.pool.example")[1]["code"] == "unknown"


def test_reference(wall):
    join(wall, "a")
    join(wall, "b")
    path = "/timelines/wall/reference"
    assert wall("GET", path)[1]["epoch"] == 0
    status, view = wall("POST", path, {"node": "a", "session": "sa", "address": "h:4242"})
    assert (status, view["epoch"], view["node"], view["state"]) == (200, 1, "a", "held")
    assert wall("POST", path, {"node": "a", "session": "sa", "epoch": 1})[0] == 200
    status, refusal = wall("POST", path, {"node": "b", "session": "sb", "bound_ns": 5})
    assert (status, refusal["code"]) == (409, "held")
    assert 0 < refusal["retry_ns"] <= 1_800_180_200
    assert wall("POST", path, {"node": "b", "session": "sb", "epoch": 1})[1]["code"] == "fenced"
    stale = {"node": "b", "session": "sb", "bound_ns": 5, "bound_epoch": 0}
    assert wall("POST", path, stale)[1]["code"] == "too_wide"
    assert wall("DELETE", f"{path}?node=a&session=sa&epoch=1")[1]["state"] == "silent"
    assert wall("POST", path, {"node": "a", "session": "sa", "epoch": 1})[1]["code"] == "fenced"


def test_every_write_needs_the_key(rest):
    for route in ROUTES:
        path = route.path.replace("{timeline}", "t").replace("{node}", "n")
        path = path.replace("{server}", "s")
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic eDp5"}):
            status, answer = rest(route.method, path, headers=headers)
            if route.writes:
                assert (status, answer["code"]) == (401, "unauthorized")
            else:
                assert status in (200, 404)


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/timelines/", None, None),
        ("/timelines/", [], None),
        ("/timelines/", {}, "name"),
        ("/timelines/", {"name": ""}, "name"),
        ("/timelines/", {"name": "a.b"}, "name"),
        ("/timelines/", {"name": "a/b"}, "name"),
        ("/timelines/", {"name": "x" * 65}, "name"),
        ("/timelines/", {"name": "w", "metadata": 1}, "metadata"),
        ("/timelines/wall/nodes", {"name": "a", "accuracy": 0}, "accuracy"),
        ("/timelines/wall/nodes", {"name": "a", "accuracy": -1}, "accuracy"),
        ("/timelines/wall/nodes", {"name": "a", "accuracy": 1.5}, "accuracy"),
        ("/timelines/wall/nodes", {"name": "a", "accuracy": True}, "accuracy"),
        ("/timelines/wall/nodes", {"name": "a", "accuracy": "1000"}, "accuracy"),
        ("/timelines/wall/nodes", {"name": ".."}, "name"),
        ("/servers/", {"name": "s", "stratum": 17, "server_type": "local"}, "stratum"),
        ("/servers/", {"name": "s", "stratum": 1, "server_type": "x"}, "server_type"),
        ("/timelines/wall/reference", {"node": "a", "session": "s", "epoch": "1"}, "epoch"),
        ("/timelines/wall/reference", {"node": "a", "session": "s", "bound_ns": -1}, "bound_ns"),
    ],
)  # fmt: skip
def test_bad_bodies_are_refused_with_the_field(wall, path, body, field):
    status, answer = wall("POST", path, body)
    assert (status, answer["code"], answer.get("field")) == (400, "invalid", field)


def test_a_number_without_a_unit_in_quotes_is_told_which_units_there_are(wall):
    answer = join(wall, "a", accuracy="1000")[1]
    assert "write a number with one of the units" in answer["seen"]


def test_what_is_not_json_is_refused(rest):
    assert rest.raw("POST", "/timelines/", data=b"{oops")[0] == 400
    assert rest.raw("POST", "/timelines/", data=b"\xff\xfe")[0] == 400


def test_bodies_have_a_limit(rest):
    status, answer = rest.raw("POST", "/timelines/", data=b" " * 70_000)
    assert (status, answer["code"]) == (413, "too_large")


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "not_found"),
        ("PATCH", "/timelines/", 405, "wrong_method"),
        ("GET", "/timelines/..", 400, "invalid"),
        ("GET", "/timelines/a%20b/qot", 400, "invalid"),
        ("DELETE", "/timelines/wall/reference?node=a&session=s&epoch=x", 400, "invalid"),
        ("DELETE", "/timelines/wall/nodes/a?sesion=s", 400, "invalid"),
    ],
)
def test_wrong_paths_are_refused_in_json(rest, method, path, status, code):
    found, answer = rest.raw(method, path)
    assert (found, answer["code"]) == (status, code)
    assert answer["fix"]


def test_the_document_is_served_and_complete(rest):
    status, served = rest.raw("GET", "/openapi.json")
    assert (status, served) == (200, rest.document)
    assert sum(len(operations) for operations in served["paths"].values()) == len(ROUTES)


def test_every_reference_in_the_document_leads_somewhere(rest):
    schemas = rest.document["components"]["schemas"]

    def references(value):
        if isinstance(value, dict):
            if "$ref" in value:
                yield value["$ref"]
            value = list(value.values())
        if isinstance(value, list):
            for item in value:
                yield from references(item)

    found = set(references(rest.document))
    assert {reference.rpartition("/")[2] for reference in found} <= set(schemas)
    assert all(reference.startswith("#/components/schemas/") for reference in found)


def test_health_needs_no_key(rest):
    assert rest("GET", "/health", headers={})[1]["leads"] is True
