"""From a signal to the exit code, with real processes."""

import os
import select
import signal
import subprocess
import sys
import threading
import time

import pytest

from mysync_runtime.lifecycle import Stop, Stopped

CLEAN = """
import sys
from mysync_runtime.lifecycle import Stop, run_main
def main():
    stop = Stop()
    stop.install()
    print("running", flush=True)
    WAIT
    print("cleaned up", stop.reason, flush=True)
sys.exit(run_main(main))
"""


def started(body: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", CLEAN.replace("WAIT", body)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "running\n"
    return process


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=20)
    return process.returncode, out, err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_first_signal_stops_cleanly(number: signal.Signals) -> None:
    process = started("stop.wait()")
    process.send_signal(number)
    assert ended(process) == (0, f"cleaned up {number.name}\n", "")


def test_a_stop_while_something_waits_is_a_clean_end() -> None:
    process = started("stop.sleep(60)")
    process.send_signal(signal.SIGTERM)
    assert ended(process) == (0, "", "")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_second_signal_ends_at_once(number: signal.Signals) -> None:
    process = started("stop.wait(); print('stopping', flush=True); import time; time.sleep(60)")
    process.send_signal(signal.SIGTERM)
    assert process.stdout is not None
    assert process.stdout.readline() == "stopping\n"
    process.send_signal(number)
    assert ended(process) == (128 + number, "", "")


def test_the_second_signal_ends_a_process_that_holds_locks_and_threads() -> None:
    process = started(
        "import threading, atexit, time\n"
        "    atexit.register(time.sleep, 60)\n"
        "    threading.Thread(target=time.sleep, args=(60,)).start()\n"
        "    stop.wait(); print('stopping', flush=True); time.sleep(60)"
    )
    process.send_signal(signal.SIGTERM)
    assert process.stdout is not None
    assert process.stdout.readline() == "stopping\n"
    process.send_signal(signal.SIGTERM)
    assert ended(process)[0] == 128 + signal.SIGTERM


def test_signals_reach_a_loop_of_short_waits_without_a_deadlock() -> None:
    process = started("while not stop.wait(0.0001): pass")
    process.send_signal(signal.SIGTERM)
    assert ended(process)[0] == 0


def test_a_defect_ends_in_1_with_its_traceback_in_the_log() -> None:
    process = started("raise KeyError('oops')")
    code, out, err = ended(process)
    assert (code, out) == (1, "")
    assert "This is a defect in mysync" in err
    assert "Traceback" in err


def test_a_reader_that_went_away_is_no_error() -> None:
    process = started("import time; time.sleep(0.2)\n    [print('x' * 99) for _ in range(10**5)]")
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == ""
    assert process.wait(20) == 0
    process.stderr.close()


def test_a_stop_wakes_every_waiting_thread_and_stays() -> None:
    stop = Stop()
    woken = [threading.Thread(target=stop.wait) for _ in range(3)]
    for thread in woken:
        thread.start()
    stop.request("test")
    for thread in woken:
        thread.join(10)
        assert not thread.is_alive()
    assert stop.wait(60)
    with pytest.raises(Stopped):
        stop.raise_if_requested()


def test_a_stop_can_be_waited_for_beside_a_socket() -> None:
    stop = Stop()
    poll = select.poll()  # descriptors may have any number
    poll.register(stop, select.POLLIN)
    assert poll.poll(0) == []
    stop.request()
    assert poll.poll(10_000) == [(stop.fileno(), select.POLLIN)]


def test_waiting_without_a_stop_takes_its_time_and_says_no() -> None:
    stop = Stop()
    before = time.monotonic()
    assert stop.wait(0.05) is False
    assert time.monotonic() - before >= 0.045
    assert stop.wait(0) is False


def test_the_grace_runs_from_the_first_request() -> None:
    stop = Stop(grace_seconds=5)
    assert stop.remaining() == 5
    stop.request("first")
    left = stop.remaining()
    assert 0 < left <= 5
    stop.request("second")
    assert stop.reason == "first"
    assert stop.remaining() <= left
    gone = Stop(grace_seconds=0)
    gone.request()
    assert gone.remaining() == 0


def test_requesting_a_stop_never_blocks() -> None:
    stop = Stop()
    os.set_blocking(stop.fileno(), False)
    for _ in range(100_000):
        stop.request()
    assert len(os.read(stop.fileno(), 10)) == 1
