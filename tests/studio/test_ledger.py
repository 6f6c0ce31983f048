"""The ledger alone: states, leases, two hands at once, memory and cost."""

from __future__ import annotations

import os
import resource
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from studio import _process
from studio._ledger_owner import is_dead, new_owner
from studio.errors import StorageError
from studio.ledger import MAX_ATTEMPTS, Ledger, NewJob


def jobs(count: int, batch_key: str = "k", content: str = "c") -> Iterator[NewJob]:
    return (NewJob(n, f"{content}{n}", batch_key, '{"prompt": "sea"}', n) for n in range(1, count + 1))


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path / "ledger.sqlite") as made:
        yield made


def states(ledger: Ledger) -> dict[int, str]:
    return {job.number: job.state for job in ledger.rows()}


def test_a_job_goes_from_queued_to_done(ledger: Ledger) -> None:
    ledger.sync(jobs(1))
    owner = new_owner()
    (job,) = ledger.claim(owner, 8)
    assert (job.state, job.attempts, job.values) == ("leased", 1, {"prompt": "sea"})
    ledger.progress([job.id], 0.5)
    ledger.preview(job.id, "p.png")
    seen = ledger.job(job.id)
    assert seen and (seen.progress, seen.preview) == (0.5, "p.png")
    assert ledger.finish(job.id, owner, "1.png", 1.5, ["note"])
    done = ledger.job(job.id)
    assert done and (done.state, done.result, done.seconds, done.notes) == ("done", "1.png", 1.5, ("note",))
    assert done.progress == 1 and done.preview is None and not ledger.is_busy()


def test_claim_takes_rows_that_share_a_batch_key_in_order(ledger: Ledger) -> None:
    mixed = [NewJob(n, str(n), "odd" if n % 2 else "even", "{}") for n in range(1, 8)]
    ledger.sync(mixed)
    taken = [[job.number for job in ledger.claim("me", 3)] for _ in range(4)]
    assert taken == [[1, 3, 5], [2, 4, 6], [7], []]


def test_a_job_has_one_owner_among_many_threads(ledger: Ledger) -> None:
    ledger.sync(jobs(200))
    taken: list[int] = []

    def work(owner: str) -> None:
        while claimed := ledger.claim(owner, 7):
            for job in claimed:
                assert ledger.finish(job.id, owner, f"{job.id}", 0.0)
                taken.append(job.id)

    threads = [threading.Thread(target=work, args=(f"t{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == list(range(1, 201))


def test_an_expired_lease_goes_back_and_its_late_result_is_refused(ledger: Ledger) -> None:
    ledger.sync(jobs(1))
    (job,) = ledger.claim("sleeper", 1, lease_s=-1)
    assert ledger.reclaim() == 1
    (again,) = ledger.claim("other", 1)
    assert (again.id, again.attempts) == (job.id, 2)
    assert not ledger.finish(job.id, "sleeper", "late.png", 1.0)
    assert ledger.finish(job.id, "other", "x.png", 1.0)


def test_heartbeat_keeps_a_lease(ledger: Ledger) -> None:
    ledger.sync(jobs(1))
    ledger.claim("me", 1, lease_s=-1)
    ledger.heartbeat("me", 60)
    assert ledger.reclaim() == 0


def test_a_dead_process_is_found_dead_at_once(ledger: Ledger) -> None:
    code = (
        "import sys; from studio.ledger import Ledger; from studio._ledger_owner import new_owner\n"
        "print(len(Ledger(sys.argv[1]).claim(new_owner(), 2)))"
    )
    ledger.sync(jobs(3))
    run = [sys.executable, "-c", code, str(ledger.path)]
    assert subprocess.run(run, capture_output=True, text=True, check=True).stdout == "2\n"
    assert ledger.reclaim() == 2
    assert ledger.counts()["queued"] == 3
    assert not is_dead(new_owner())


def test_a_process_number_given_out_again_is_not_the_old_process() -> None:
    host, pid, _, nonce = new_owner().split("|")
    assert is_dead(f"{host}|{pid}|12345|{nonce}") is (os.path.exists("/proc/self/stat"))
    assert not is_dead(f"elsewhere|{pid}|12345|{nonce}")
    assert _process.started(2**30) == ""
    assert not _process.may_live(2**70)


def test_what_was_tried_before_comes_last_and_alone(ledger: Ledger) -> None:
    ledger.sync(jobs(6))
    ledger.claim("a", 2, lease_s=-1)
    ledger.reclaim()
    assert [[job.number for job in ledger.claim("b", 4)] for _ in range(3)] == [[3, 4, 5, 6], [1], [2]]


def test_a_job_that_kills_its_workers_fails_in_the_end(ledger: Ledger) -> None:
    ledger.sync(jobs(1))
    for _ in range(MAX_ATTEMPTS):
        assert ledger.claim("a", 1, lease_s=-1)
        ledger.reclaim()
    (job,) = ledger.rows()
    assert job.state == "failed" and "died 3 times" in str(job.error)
    assert ledger.retry_failed() == 1 and ledger.claim("b", 1)[0].attempts == 1


def test_an_error_is_stored_and_tried_again_only_where_that_may_help(ledger: Ledger) -> None:
    ledger.sync(jobs(2))
    first, second = ledger.claim("me", 2)
    ledger.fail(first.id, "me", "wrong word", "Traceback ...")
    ledger.fail(second.id, "me", "flaky", "Traceback ...", again=True)
    assert states(ledger) == {1: "failed", 2: "queued"}
    for _ in range(MAX_ATTEMPTS - 1):
        ledger.claim("me", 1)
        ledger.fail(second.id, "me", "flaky", "Traceback 2", again=True)
    job = ledger.job(second.id)
    assert job and (job.state, job.error, job.traceback) == ("failed", "flaky", "Traceback 2")


def test_release_gives_back_without_counting(ledger: Ledger) -> None:
    ledger.sync(jobs(3))
    ledger.claim("me", 2)
    assert ledger.release("me") == 2
    assert [job.attempts for job in ledger.claim("me", 3)] == [1, 1, 1]


def test_cancel(ledger: Ledger) -> None:
    ledger.sync(jobs(4))
    (leased,) = ledger.claim("me", 1)
    assert ledger.cancel(leased.id) and ledger.owned("me") == set()
    assert not ledger.finish(leased.id, "me", "x", 1.0)
    assert ledger.cancel(2) and not ledger.cancel(2)
    assert [ledger.cancel(job_id) for job_id in (3, 4)] == [True, True]
    assert set(states(ledger).values()) == {"cancelled"}
    assert ledger.retry(2) and ledger.counts()["queued"] == 1


def test_sync_keeps_what_is_done_and_renders_what_changed(ledger: Ledger) -> None:
    ledger.sync(jobs(3))
    for job in ledger.claim("me", 3):
        ledger.finish(job.id, "me", f"{job.number}.png", 1.0)
    changed = [NewJob(1, "c1", "k", "{}"), NewJob(2, "new", "k", "{}")]
    ledger.sync(changed)
    assert states(ledger) == {1: "done", 2: "queued"}
    assert [job.result for job in ledger.left_over()] == ["2.png", "3.png"]
    (job,) = ledger.claim("me", 9)
    ledger.finish(job.id, "me", "2.png", 1.0)  # over the old file of the row
    assert [job.result for job in ledger.left_over()] == ["3.png"]
    ledger.sync(jobs(3))  # as it was: the overwritten row is not taken for done
    assert states(ledger) == {1: "done", 2: "queued", 3: "done"}


def test_a_row_that_vanished_before_its_turn_is_not_rendered(ledger: Ledger) -> None:
    ledger.sync(jobs(3))
    assert ledger.sync(jobs(1)) == 2
    assert [job.number for job in ledger.claim("me", 9)] == [1]
    assert ledger.counts(current=True) == {"queued": 0, "leased": 1, "done": 0, "failed": 0, "cancelled": 0}
    ledger.sync(jobs(3))
    assert [job.number for job in ledger.claim("me", 9)] == [2, 3]


@pytest.mark.parametrize("lease_s", [-1.0, 60.0], ids=["dead", "living, or on another host"])
def test_a_row_changed_while_it_was_leased_is_never_rendered_as_it_was(
    ledger: Ledger, lease_s: float
) -> None:
    ledger.sync(jobs(2, content="old"))
    old = ledger.claim("killed", 1, lease_s)[0]
    assert ledger.sync(jobs(2, content="new")) == 2
    assert ledger.reclaim() == ledger.release("killed") == 0
    ledger.fail(old.id, "killed", "late", "Traceback", again=True)
    for job in ledger.claim("me", 9):
        assert job.content_key.startswith("new") and ledger.finish(job.id, "me", "x.png", 1.0)
    assert states(ledger) == {1: "done", 2: "done"} and not ledger.is_busy()
    assert ledger.sync(jobs(2, content="old")) == 0  # it may be wanted again
    assert states(ledger) == {1: "queued", 2: "queued"}


def test_a_late_result_over_the_file_of_a_changed_row_has_it_rendered_again(ledger: Ledger) -> None:
    ledger.sync(jobs(2, content="old"))
    late, other = ledger.claim("slow", 2)
    ledger.sync(jobs(2, content="new"))
    for job in ledger.claim("me", 2):
        ledger.finish(job.id, "me", f"{job.number}.png", 1.0)
    assert not ledger.finish(late.id, "slow", "1.png", 9.0)
    assert ledger.render_again(late, "1.png") and not ledger.render_again(other, "another.png")
    assert states(ledger) == {1: "queued", 2: "done"}


def test_an_error_while_adding_adds_nothing(ledger: Ledger) -> None:
    def broken() -> Iterator[NewJob]:
        yield from jobs(5)
        raise ValueError("line 6")

    with pytest.raises(ValueError, match="line 6"):
        ledger.sync(broken())
    assert not ledger.is_busy()
    ledger.sync(jobs(2))
    assert ledger.counts()["queued"] == 2


def test_others_work_while_a_long_file_is_added(ledger: Ledger) -> None:
    ledger.sync(jobs(4, content="old"))
    done: list[int] = []

    def slowly() -> Iterator[NewJob]:
        for job in jobs(4, content="old"):
            thread = threading.Thread(target=lambda: done.append(len(ledger.claim("other", 1))))
            thread.start()
            thread.join()
            yield job

    ledger.sync(slowly())
    assert done == [1, 1, 1, 1]


def test_jobs_are_paged_in_both_directions(ledger: Ledger) -> None:
    ledger.sync(jobs(600))
    assert [job.number for job in ledger.rows()] == list(range(1, 601))
    assert [job.number for job in ledger.jobs("queued", newest=True)] == list(range(600, 0, -1))
    assert list(ledger.jobs("done")) == []


def test_connections_close_with_their_threads(ledger: Ledger) -> None:
    for _ in range(5):
        thread = threading.Thread(target=ledger.is_busy)
        thread.start()
        thread.join()
    assert len(ledger._open) == 1


@pytest.mark.parametrize("content", [b"this is no database at all, not even a little" * 30, None])
def test_a_path_that_cannot_be_a_ledger_is_a_storage_error(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "ledger.sqlite"
    path.mkdir() if content is None else path.write_bytes(content)
    with pytest.raises(StorageError, match=r"ledger\.sqlite"):
        Ledger(path)


def test_a_ledger_of_another_version_is_refused(tmp_path: Path) -> None:
    database = sqlite3.connect(tmp_path / "l.sqlite")
    database.execute("PRAGMA user_version=99")
    database.close()
    with pytest.raises(StorageError, match="another version"):
        Ledger(tmp_path / "l.sqlite")


def test_a_full_disk_is_said_and_nothing_is_half_added(tmp_path: Path) -> None:
    with Ledger(tmp_path / "l.sqlite") as ledger:
        ledger.sync(jobs(10))
        with ledger._reading() as database:
            database.execute("PRAGMA max_page_count=20")
        with pytest.raises(StorageError, match="disk full"):
            ledger.sync(jobs(5000, content="n"))
        assert ledger.counts(current=True)["queued"] == 10


def test_the_ledger_costs_under_five_milliseconds_a_row_and_little_memory(ledger: Ledger) -> None:
    count = 10_000
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    ledger.sync(jobs(count))
    used, rows = 0.0, 0
    while rows < 2000:
        started = time.process_time()
        claimed = ledger.claim("me", 8)
        for job in claimed:
            ledger.finish(job.id, "me", f"{job.number:05d}.png", 1.0)
        used += time.process_time() - started
        rows += len(claimed)
    assert sum(1 for _ in ledger.rows()) == count
    assert used / rows < 0.005
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000  # KiB
