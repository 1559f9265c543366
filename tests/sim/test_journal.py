"""What the sim remembers."""

from vllm_gateway.sim.journal import Journal


def test_the_oldest_are_forgotten_and_the_totals_kept() -> None:
    """The journal has a bound, so a sim can run for long."""
    journal = Journal(size=3)
    connection = journal.connection_opened(1.0)
    for at in range(5):
        seen = journal.request_began(connection, "GET", f"/{at}", [], float(at))
        journal.request_ended(seen, at + 0.5, is_gone=False)
    assert [seen.target for seen in journal.requests] == ["/2", "/3", "/4"]
    assert (journal.requests_total, connection.requests, journal.in_flight) == (5, 5, 0)


def test_the_most_at_once_is_remembered() -> None:
    """Concurrency is counted, and its maximum kept until the journal is cleared."""
    journal = Journal()
    connection = journal.connection_opened(0.0)
    open_ones = [journal.request_began(connection, "GET", "/", [], 0.0) for _ in range(4)]
    for seen in open_ones[1:]:
        journal.request_ended(seen, 1.0, is_gone=False)
    assert (journal.in_flight, journal.most_in_flight) == (1, 4)
    journal.clear()
    assert (journal.most_in_flight, len(journal.requests)) == (1, 0)


def test_an_end_counts_once() -> None:
    """A request that ended, and whose connection then closes, has ended once."""
    journal = Journal()
    seen = journal.request_began(journal.connection_opened(0.0), "GET", "/", [], 0.0)
    journal.request_ended(seen, 1.0, is_gone=False)
    journal.request_ended(seen, 2.0, is_gone=True)
    assert (seen.ended_at, seen.gone_at, journal.in_flight) == (1.0, None, 0)


def test_who_closed_first_is_named() -> None:
    """The first reason stands."""
    journal = Journal()
    seen = journal.connection_opened(0.0)
    seen.closed_by = "fault"
    journal.connection_closed(seen, 3.0, "caller")
    assert (seen.closed_by, seen.closed_at, journal.open_connections) == ("fault", 3.0, 0)


def test_headers_are_found_by_any_spelling() -> None:
    """Names have no case; a header that was not sent is None."""
    journal = Journal()
    seen = journal.request_began(journal.connection_opened(0.0), "GET", "/", [(b"X-Request-ID", b"r")], 0.0)
    assert (seen.header("x-request-id"), seen.header("accept")) == ("r", None)


def test_bodies_are_kept_within_a_bound() -> None:
    """The oldest requests go when all bodies together are too much; the newest always stays."""
    journal = Journal(most_body_bytes=10)
    connection = journal.connection_opened(0.0)
    for at in range(3):
        seen = journal.request_began(connection, "POST", f"/{at}", [], 0.0)
        journal.body_came(seen, b"x" * 6 * (at + 1), 0.0)
    assert [(seen.target, len(seen.body)) for seen in journal.requests] == [("/2", 18)]


def test_a_body_that_comes_after_forgetting_is_no_trouble() -> None:
    """A request may still be under way when the journal is cleared."""
    journal = Journal(most_body_bytes=10)
    connection = journal.connection_opened(0.0)
    old = journal.request_began(connection, "POST", "/old", [], 0.0)
    journal.clear()
    journal.body_came(old, b"x" * 99, 1.0)
    new = journal.request_began(connection, "POST", "/new", [], 0.0)
    journal.body_came(new, b"x", 1.0)
    assert list(journal.requests) == [new]
