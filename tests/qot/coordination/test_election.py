"""One coordinator, one seat, by hand. Orders that nobody thinks of: test_election_properties.py."""

import pytest

from qot.coordination.election import (
    FORGOTTEN_NS,
    Claim,
    Election,
    Keep,
    Refuse,
    Release,
    Renew,
    SeatState,
    Tighten,
    Write,
)
from qot.coordination.errors import Reason
from qot.coordination.seat import Seat
from qot.coordination.terms import Terms, certain_ns, same_era

TERMS = Terms(lease_ns=800_000, silence_ns=1_000_000, handover_ns=500)
PPB = 50_000
VACANCY_NS = certain_ns(1_800_000, PPB, PPB)


class Desk:
    """An election whose writes always succeed."""

    def __init__(self, **seat):
        self.election = Election(TERMS, PPB, PPB)
        self.election.observe(Seat(handover_ns=500, **seat), 0)

    def ask(self, event, now_ns):
        decision = self.election.handle(event, now_ns)
        if isinstance(decision, Write):
            self.election.observe(decision.seat, now_ns)
        return decision


def reason(decision):
    assert isinstance(decision, Refuse)
    return decision.reason


@pytest.fixture
def desk():
    return Desk()


@pytest.fixture
def held(desk):
    assert isinstance(desk.ask(Claim("a", "sa", None, "h:1"), 0), Write)
    return desk


def test_the_first_claim_gets_epoch_1(desk):
    assert desk.election.state(0) is SeatState.NEW
    decision = desk.ask(Claim("a", "sa", None, "h:1"), 5)
    assert decision == Write(
        Seat(
            epoch=1, renewals=1, node="a", session="sa", address="h:1",
            lease_ns=800_000, silence_ns=1_000_000, handover_ns=500,
        )
    )  # fmt: skip
    assert desk.election.state(5) is SeatState.HELD


def test_a_held_seat_says_when_it_is_free(held):
    decision = held.ask(Claim("b", "sb", 100), 10)
    assert reason(decision) is Reason.HELD
    assert decision.retry_ns == VACANCY_NS - 10


def test_it_passes_on_when_lease_and_silence_are_certainly_over(held):
    assert reason(held.ask(Claim("b", "sb", 100), VACANCY_NS - 1)) is Reason.HELD
    decision = held.ask(Claim("b", "sb", 100), VACANCY_NS)
    assert (decision.seat.epoch, decision.seat.node, decision.seat.bound_ns) == (2, "b", 100)


def test_states_follow_the_lease(held):
    lease_ns = certain_ns(800_000, PPB, PPB)
    states = [held.election.state(now) for now in (lease_ns - 1, lease_ns, VACANCY_NS)]
    assert states == [SeatState.HELD, SeatState.SILENT, SeatState.FREE]


def test_a_renewal_begins_the_wait_anew(held):
    assert isinstance(held.ask(Renew("a", "sa", 1), 700_000), Write)
    assert reason(held.ask(Claim("b", "sb", 1), VACANCY_NS)) is Reason.HELD
    assert isinstance(held.ask(Claim("b", "sb", 1), VACANCY_NS + 700_000), Write)


def test_a_late_renewal_is_good_while_nobody_else_has_the_seat(held):
    assert isinstance(held.ask(Renew("a", "sa", 1), 10 * VACANCY_NS), Write)


def test_an_older_epoch_is_fenced_out(held):
    held.ask(Claim("b", "sb", 1), VACANCY_NS)
    for event in (Renew("a", "sa", 1), Release("a", "sa", 1), Renew("a", "sa", 2)):
        assert reason(held.ask(event, VACANCY_NS)) is Reason.FENCED


def test_a_restarted_process_of_the_holder_is_somebody_else(held):
    assert reason(held.ask(Renew("a", "later", 1), 10)) is Reason.FENCED
    assert reason(held.ask(Claim("a", "later", 0), 10)) is Reason.HELD


def test_the_smallest_bound_wins_then_the_name(held):
    open_ns = VACANCY_NS - 1
    for name, bound_ns in (("d", 9), ("c", 7), ("b", 7)):
        held.ask(Claim(name, "s", bound_ns), open_ns)
    assert reason(held.ask(Claim("d", "s", 9), VACANCY_NS)) is Reason.OUTBID
    assert reason(held.ask(Claim("c", "s", 7), VACANCY_NS)) is Reason.OUTBID
    assert held.ask(Claim("b", "s", 7), VACANCY_NS).seat.node == "b"


def test_a_better_claim_that_is_not_repeated_stops_nobody_for_long(held):
    held.ask(Claim("b", "sb", 1), VACANCY_NS)  # gets it, and is never heard of again
    free_ns = 2 * VACANCY_NS
    held.ask(Claim("c", "sc", 1), free_ns - 1)
    decision = held.ask(Claim("d", "sd", 2), free_ns)
    assert reason(decision) is Reason.OUTBID
    assert held.ask(Claim("d", "sd", 2), free_ns + decision.retry_ns).seat.node == "d"


def test_the_claim_of_a_node_that_is_gone_is_void(held):
    held.ask(Claim("b", "sb", 1), VACANCY_NS - 1)
    held.election.forget("b")
    assert held.ask(Claim("c", "sc", 2), VACANCY_NS).seat.node == "c"


@pytest.mark.parametrize("bound_ns", [None, 501])
def test_whoever_may_be_outside_is_no_candidate(held, bound_ns):
    assert reason(held.ask(Claim("b", "sb", bound_ns), VACANCY_NS)) is Reason.TOO_WIDE


def test_who_has_not_followed_the_last_reference_cannot_carry_its_time_on(held):
    held.ask(Claim("b", "sb", 1, bound_epoch=1), VACANCY_NS)
    free_ns = 2 * VACANCY_NS
    assert reason(held.ask(Claim("c", "sc", 1, bound_epoch=1), free_ns)) is Reason.TOO_WIDE
    assert held.ask(Claim("d", "sd", 9, bound_epoch=2), free_ns).seat.node == "d"


def test_a_claim_that_became_too_wide_stands_in_nobodys_way(held):
    held.ask(Claim("b", "sb", 400), VACANCY_NS - 1)
    held.ask(Tighten(300), VACANCY_NS - 1)
    assert held.ask(Claim("c", "sc", 300), VACANCY_NS).seat.node == "c"


def test_handover_falls_by_demand_and_rises_by_an_operator_alone(held):
    assert held.ask(Tighten(400), 1).seat.handover_ns == 400
    assert held.ask(Tighten(450), 2) == Keep()
    assert held.ask(Tighten(450, raising=True), 3).seat.handover_ns == 450
    assert held.ask(Tighten(450, raising=True), 4) == Keep()


def test_changing_handover_is_no_renewal(held):
    held.ask(Tighten(400), VACANCY_NS - 1)
    assert held.ask(Claim("b", "sb", 1), VACANCY_NS).seat.epoch == 2


def test_who_gives_the_seat_up_leaves_followers_the_time_to_notice(held):
    held.ask(Release("a", "sa", 1), 100)
    assert held.election.state(100) is SeatState.SILENT
    silence_ns = certain_ns(1_000_000, PPB, PPB)
    assert reason(held.ask(Claim("b", "sb", 1), 100 + silence_ns - 1)) is Reason.HELD
    assert held.ask(Claim("b", "sb", 1), 100 + silence_ns).seat.epoch == 2


def test_what_was_given_up_cannot_be_renewed(held):
    held.ask(Release("a", "sa", 1), 100)
    assert reason(held.ask(Renew("a", "sa", 1), 101)) is Reason.FENCED


def test_a_coordinator_that_starts_again_waits_the_whole_time():
    desk = Desk(epoch=4, renewals=9, node="a", session="sa")
    assert reason(desk.ask(Claim("b", "sb", 1), VACANCY_NS // 2)) is Reason.HELD
    assert desk.ask(Claim("b", "sb", 1), certain_ns(1_800_000_000, PPB, PPB)).seat.epoch == 5


def test_the_terms_are_those_under_which_the_epoch_was_given_out():
    desk = Desk(epoch=1, renewals=1, node="a", session="sa", lease_ns=3_000, silence_ns=5_000)
    free_ns = certain_ns(8_000, PPB, PPB)
    assert desk.election.free_in_ns(0) == free_ns
    renewed = desk.ask(Renew("a", "sa", 1), 10).seat
    assert (renewed.lease_ns, renewed.silence_ns) == (3_000, 5_000)
    assert desk.ask(Claim("b", "sb", 1), 10 + free_ns).seat.lease_ns == TERMS.lease_ns


def test_a_seat_must_be_observed_first():
    with pytest.raises(ValueError, match="read it from the store"):
        Election(TERMS).handle(Claim("a", "s"), 0)


def test_a_seat_survives_its_bytes():
    seat = Seat(epoch=3, renewals=8, node="a", session="s", bound_ns=4, released=True)
    assert Seat.from_json(seat.to_json()) == seat


def test_a_seat_that_nobody_can_take_up_begins_a_new_era(held):
    gone_ns = VACANCY_NS + FORGOTTEN_NS
    assert reason(held.ask(Claim("b", "sb", None), gone_ns)) is Reason.TOO_WIDE
    decision = held.ask(Claim("b", "sb", None), gone_ns + 1)
    assert isinstance(decision, Write)
    assert not same_era(decision.seat.epoch, 1)
    assert decision.seat.epoch > 1


def test_no_new_era_while_somebody_knows_the_time(held):
    gone_ns = VACANCY_NS + FORGOTTEN_NS
    held.ask(Claim("c", "sc", 400), VACANCY_NS - 1)
    assert reason(held.ask(Claim("b", "sb", None), gone_ns)) is Reason.TOO_WIDE


def test_a_claim_whose_grant_was_not_heard_of_may_be_repeated(held):
    again = held.ask(Claim("a", "sa", 100), 10)
    assert isinstance(again, Write)
    assert (again.seat.epoch, again.seat.renewals) == (1, 2)


def test_growing_bounds_do_not_let_two_claims_outbid_each_other_for_ever(held):
    step_ns = TERMS.lease_ns // 3
    now_ns, bound_ns = VACANCY_NS - 3 * step_ns, 100
    while now_ns < VACANCY_NS + 2 * step_ns:
        for node in ("b", "c"):
            decision = held.ask(Claim(node, f"s{node}", bound_ns), now_ns)
            if isinstance(decision, Write):
                assert (node, decision.seat.epoch) == ("b", 2)
                return
            bound_ns += 10
            now_ns += step_ns // 2
    raise AssertionError("nobody got the seat")
