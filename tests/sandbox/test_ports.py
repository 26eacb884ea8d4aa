"""Ports: taken ones are told apart from free ones, with what to do about it."""

from __future__ import annotations

import socket

from infra.sandbox.ports import HOST, Claim, find_conflicts, is_free, pick_free


def test_port_with_a_listener_is_named_with_its_purpose_and_variable() -> None:
    with socket.socket() as server:
        server.bind((HOST, 0))
        server.listen()
        port = server.getsockname()[1]

        problems = find_conflicts([Claim("S3 endpoint", "SANDBOX_S3_PORT", port - 1, count=2)])

    assert problems == [
        f"Port {port} for the S3 endpoint is in use. Set SANDBOX_S3_PORT to another port, or to 0 for any free one."
    ]


def test_port_wanted_twice_is_a_conflict() -> None:
    port = pick_free(3)

    problems = find_conflicts([Claim("a", "A", port, count=2), Claim("b", "B", port + 1)])

    assert [problem.startswith(f"Port {port + 1} is wanted by both the a and the b.") for problem in problems] == [
        True
    ]


def test_port_beyond_the_last_is_a_conflict() -> None:
    problems = find_conflicts([Claim("S3 endpoint", "SANDBOX_S3_PORT", 65_534, count=4)])

    assert [problem for problem in problems if "above 65535" in problem]


def test_picked_ports_are_free_and_avoid_what_is_spoken_for() -> None:
    spoken_for = range(1024, 50_000)

    first = pick_free(4, avoid=spoken_for)

    assert not set(spoken_for) & set(range(first, first + 4))
    assert all(map(is_free, range(first, first + 4)))
