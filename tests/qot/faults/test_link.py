"""What a bad link does to packets: all that is asked for, reproducibly, and nothing else."""

from __future__ import annotations

from random import Random

import pytest

from qot.faults.link import Carrier, Jitter, Way, both_ways, flip_bit, seal_anew

PACKETS = 4_000
PACKET = bytes(range(64))


def carry_many(way: Way, seed: int = 1) -> tuple[Carrier, list[list[tuple[int, bytes]]]]:
    carrier = Carrier(Random(seed))
    return carrier, [
        carrier.carry(way, number.to_bytes(8) + PACKET[8:]) for number in range(PACKETS)
    ]


def test_a_good_way_delivers_each_packet_once_after_its_delay() -> None:
    _, arrived = carry_many(Way(delay_ns=5))
    assert arrived == [[(5, number.to_bytes(8) + PACKET[8:])] for number in range(PACKETS)]


def test_the_same_seed_gives_the_same_history() -> None:
    way = Way(
        jitter_ns=10, loss=0.3, duplicate=0.2, reorder=0.1, replay=0.2, bit_flip=0.2, wrong_key=0.2
    )
    assert carry_many(way)[1] == carry_many(way)[1] != carry_many(way, seed=2)[1]


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 1.0])
def test_loss_and_duplication_are_as_asked_for(share: float) -> None:
    lossy, arrived = carry_many(Way(loss=share))
    assert lossy.carried.lost == sum(not each for each in arrived)
    assert abs(lossy.carried.lost - share * PACKETS) < 150
    double, arrived = carry_many(Way(duplicate=share))
    assert double.carried.duplicated == sum(len(each) == 2 for each in arrived)
    assert abs(double.carried.duplicated - share * PACKETS) < 150


@pytest.mark.parametrize("jitter", Jitter)
def test_every_jitter_has_the_mean_that_was_asked_for_and_is_never_negative(jitter: Jitter) -> None:
    _, arrived = carry_many(Way(delay_ns=100, jitter_ns=10_000, jitter=jitter))
    delays = [each[0][0] - 100 for each in arrived]
    assert min(delays) >= 0
    assert 8_000 < sum(delays) / PACKETS < 12_500


def test_held_back_packets_are_overtaken() -> None:
    _, arrived = carry_many(Way(delay_ns=10, reorder=0.5, reorder_ns=1_000))
    assert {each[0][0] for each in arrived} == {10, 1_010}


def test_replayed_packets_were_sent_before_and_come_beside_the_true_one() -> None:
    carrier, arrived = carry_many(Way(replay=0.5))
    replays = 0
    for number, each in enumerate(arrived):
        assert int.from_bytes(each[0][1][:8]) == number
        assert all(int.from_bytes(packet[:8]) < number for _, packet in each[1:])
        replays += len(each) - 1
    assert carrier.carried.replayed == replays > PACKETS / 3


@pytest.mark.parametrize("way", [Way(bit_flip=1), Way(wrong_key=1)])
def test_forged_packets_are_of_the_right_size_and_not_the_true_one(way: Way) -> None:
    carrier, arrived = carry_many(way)
    assert carrier.carried.forged == PACKETS
    for (_, true), (_, forged) in arrived:
        assert len(true) == len(forged)
        assert true != forged


def test_forging_survives_packets_that_are_too_short() -> None:
    random = Random(1)
    assert flip_bit(b"", random) == b""
    assert seal_anew(b"short", random) == b"short"


@pytest.mark.parametrize(("asymmetry", "forward"), [(0, 50), (0.5, 75), (1, 100), (-1, 0)])
def test_an_asymmetry_shares_the_round_trip_unequally(asymmetry: float, forward: int) -> None:
    there, back = both_ways(100, asymmetry, loss=0.1)
    assert (there.delay_ns, back.delay_ns) == (forward, 100 - forward)
    assert there.loss == back.loss == 0.1


def test_nonsense_is_refused() -> None:
    with pytest.raises(ValueError, match=r"loss is 1.5: give a chance from 0 to 1"):
        Way(loss=1.5)
    with pytest.raises(ValueError, match="delay_ns is -1"):
        Way(delay_ns=-1)
    with pytest.raises(ValueError, match="asymmetry is 2"):
        both_ways(100, 2)
