from qot.coordination.membership import Membership, Report
from qot.coordination.terms import certain_ns

LAPSE_NS = certain_ns(1000, 50_000, 50_000)


def members():
    made = Membership(1000, 50_000, 50_000)
    made.add("a", "sa", 0)
    return made


def test_a_session_lives_while_it_is_renewed():
    group = members()
    for now_ns in range(0, 10 * LAPSE_NS, LAPSE_NS - 1):
        assert group.hear("a", "sa", Report(bound_ns=now_ns), now_ns)
    assert group.get("a", now_ns).report.bound_ns == now_ns
    assert group.lapsed(now_ns) == []


def test_a_node_that_stops_renewing_is_gone():
    group = members()
    assert group.get("a", LAPSE_NS - 1) is not None
    assert group.get("a", LAPSE_NS) is None
    assert group.lapsed(LAPSE_NS) == ["a"]
    assert not group.hear("a", "sa", Report(), LAPSE_NS)


def test_another_process_of_the_same_name_is_not_it():
    group = members()
    assert not group.hear("a", "other", Report(), 1)
    assert not group.hear("b", "sa", Report(), 1)


def test_what_left_is_no_longer_listed():
    group = members()
    group.remove("a")
    assert group.get("a", 0) is None
    assert group.lapsed(10 * LAPSE_NS) == []


def test_after_a_restart_everyone_has_a_whole_session_to_be_heard():
    group = Membership(1000, 50_000, 50_000)
    group.reconcile({"a": "sa", "b": "sb"}, 500)
    assert group.hear("a", "sa", Report(), 600)
    assert group.lapsed(500 + LAPSE_NS) == ["b"]


def test_reconciling_renews_nobody_who_is_known():
    group = members()
    group.reconcile({"a": "sa"}, 900)
    assert group.lapsed(LAPSE_NS) == ["a"]


def test_whom_the_store_does_not_hold_is_no_member():
    group = members()
    group.reconcile({}, 1)
    assert group.get("a", 1) is None


def test_a_word_without_a_report_leaves_the_last_report():
    group = members()
    group.hear("a", "sa", Report(bound_ns=7), 1)
    assert group.hear("a", "sa", None, 2)
    assert group.get("a", 3).report.bound_ns == 7
