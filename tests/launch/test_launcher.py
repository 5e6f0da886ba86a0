"""The launcher: what it says of processes that fail, when it starts them again, and that none is left."""

import gc
import json
import os
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults.processes import children
from tunekit.errors import TunekitError
from tunekit.launch.agent import make_agent
from tunekit.launch.relaunching import OF_TERMINALS, PASSED_ON, launch, prepare_environment

# torch leaves files open of processes that end by themselves.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

ROOT = Path(__file__).parents[2]
Run = Callable[..., TunekitError | None]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """Run two processes that act as they are told, and return how that ended."""
    for name in (
        "OMP_NUM_THREADS",
        "GLOO_SOCKET_IFNAME",
        "TUNEKIT_LAUNCHER",
        "TORCHELASTIC_SIGNALS_TO_HANDLE",
    ):
        monkeypatch.setenv(name, "")  # and so put back
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    numbers = [getattr(signal, name) for name in (*PASSED_ON, *OF_TERMINALS)]
    handlers = {number: signal.getsignal(number) for number in numbers}

    def launched(acts: dict[str, str], restarts: int = 0) -> TunekitError | None:
        prepare_environment(2)
        words = ["-m", "tests.launch.acting", json.dumps(acts)]
        try:
            launch(make_agent(2, restarts, str(tmp_path), words))
        except TunekitError as error:
            return error
        return None

    yield launched
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.mark.parametrize(
    ("kind", "code"), [("InputError", 2), ("EnvironmentFailure", 3), ("Diverged", 4), ("Interrupted", 75)]
)
def test_what_any_process_raises_ends_the_launcher_with_its_words_and_code(
    kind: str, code: int, run: Run, capfd: pytest.CaptureFixture[str]
) -> None:
    error = run({"1.0": f"raise {kind} the reason", "0.0": "miss"}, restarts=3)
    assert error is not None
    assert (error.exit_code, "the reason" in str(error)) == (code, True)
    assert capfd.readouterr().err.count("begins") == 1  # no restart, and only the first process speaks


def test_a_killed_process_lets_all_begin_again(run: Run, capfd: pytest.CaptureFixture[str]) -> None:
    assert run({"1.0": "die SIGKILL", "0.0": "wait"}, restarts=3) is None
    said = capfd.readouterr().err
    assert said.count("begins") == 2
    assert (
        said.count("warning: process 1 of 2 was killed by SIGKILL, as Linux does when memory runs out") == 1
    )
    assert "(1 of 3)" in said


def test_the_bound_of_restarts_ends_it(run: Run, capfd: pytest.CaptureFixture[str]) -> None:
    error = run({f"1.{attempt}": "die SIGKILL" for attempt in range(9)}, restarts=2)
    assert error is not None
    assert error.exit_code == 3
    assert "process 1 of 2 was killed by SIGKILL" in str(error)
    assert "after 2 restarts" in str(error)
    assert capfd.readouterr().err.count("begins") == 3


def test_the_same_unforeseen_error_twice_is_no_accident(run: Run, capfd: pytest.CaptureFixture[str]) -> None:
    error = run({f"0.{attempt}": "raise ValueError broken" for attempt in range(9)}, restarts=5)
    assert error is not None
    assert error.exit_code == 1
    assert str(error).startswith("internal error: ValueError: broken")
    assert "in act" in error.__notes__[0]  # where it was raised, for --debug
    assert capfd.readouterr().err.count("begins") == 2


def test_a_crash_is_named_with_what_was_printed_last(run: Run) -> None:
    error = run({"1.0": "die SIGSEGV"})
    assert "process 1 of 2 was killed by SIGSEGV; it printed last: last words" in str(error)


@pytest.fixture
def launcher() -> Iterator[Callable[[str], "subprocess.Popen[str]"]]:
    """Start a launcher whose two processes both do one thing; returns when they are at it."""
    started = []

    def start(act: str) -> "subprocess.Popen[str]":
        acts = json.dumps({"0.0": act, "1.0": act})
        command = [sys.executable, "-m", "tests.launch.starting", acts]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=ROOT)
        started.append(process)
        assert process.stderr is not None
        assert any("ready" in line for line in process.stderr)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def gone(processes: list[int]) -> bool:
    """Whether processes have ended within a few seconds."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        if not [each for each in processes if Path(f"/proc/{each}/cmdline").exists() and alive(each)]:
            return True
        time.sleep(0.02)
    return False


def alive(process: int) -> bool:
    """Whether a process is more than an entry that nobody has collected."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux")
def test_no_process_outlives_a_launcher_that_is_killed(
    launcher: Callable[[str], "subprocess.Popen[str]"],
) -> None:
    process = launcher("wait")
    workers = children(process.pid)
    assert len(workers) == 2
    process.kill()
    process.wait()
    assert gone(workers)


def test_a_signal_is_passed_on_and_said_once(launcher: Callable[[str], "subprocess.Popen[str]"]) -> None:
    process = launcher("save")
    process.terminate()
    _, said = process.communicate(timeout=60)
    assert process.returncode == 75
    assert said.splitlines() == ["error: SIGTERM received: saved"]


def test_a_second_interrupt_does_not_wait(launcher: Callable[[str], "subprocess.Popen[str]"]) -> None:
    process = launcher("save")  # which does not heed SIGINT: Python raises KeyboardInterrupt in it
    workers = children(process.pid)
    for worker in workers:
        os.kill(worker, signal.SIGSTOP)  # so that it cannot
    for _ in range(2):
        process.send_signal(signal.SIGINT)
        time.sleep(0.5)
    process.communicate(timeout=60)
    assert process.returncode == 75
    assert gone(workers)
