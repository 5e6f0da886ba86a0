"""How processes learn their place: from SLURM's variables, and from each other."""

import os
import signal
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tunekit.console import leave_closed_terminal
from tunekit.engine import StopSignals
from tunekit.environment import adopt_slurm, first_node, tasks_by_node
from tunekit.errors import EnvironmentFailure, InputError, Interrupted
from tunekit.launch import check_place, relaunched, set_patience, together
from tunekit.launch.groups import describe, is_of_others, store
from tunekit.launch.meeting import introduce, welcome
from tunekit.launch.relaunching import prepare_environment

PLACE = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
STEP = {  # what srun sets for the fourth of four tasks on two nodes
    "SLURM_JOB_ID": "1234567",
    "SLURM_STEP_ID": "0",
    "SLURM_STEP_NUM_TASKS": "4",
    "SLURM_STEP_TASKS_PER_NODE": "2(x2)",
    "SLURM_STEP_NODELIST": "gpu-[03-04]",
    "SLURM_PROCID": "3",
    "SLURM_LOCALID": "1",
    "SLURM_NODEID": "1",
}


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process without a place, whose variables are put back."""
    for name in PLACE:
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


def test_a_task_of_srun_takes_its_place_from_slurm(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in STEP.items():
        monkeypatch.setenv(name, value)
    adopt_slurm()
    assert [os.environ[name] for name in PLACE] == ["3", "4", "1", "2", "gpu-03", "24567"]


def test_a_script_of_sbatch_is_no_task_of_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"SLURM_JOB_ID": "1", "SLURM_PROCID": "0", "SLURM_NTASKS": "4"}.items():
        monkeypatch.setenv(name, value)
    adopt_slurm()
    assert "RANK" not in os.environ


def test_what_torchrun_says_inside_a_step_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**STEP, "RANK": "0", "WORLD_SIZE": "8"}.items():
        monkeypatch.setenv(name, value)
    adopt_slurm()
    assert os.environ["WORLD_SIZE"] == "8"


@pytest.mark.parametrize(
    ("nodes", "first"),
    [
        ("gpu-[03-05,07],login", "gpu-03"),
        ("a1", "a1"),
        ("a1,b2", "a1"),
        ("r[1,3]-ib", "r1-ib"),
        ("n[001-128]", "n001"),
    ],
)
def test_the_first_of_a_node_list_is_found(nodes: str, first: str) -> None:
    assert first_node(nodes) == first


def test_tasks_are_counted_by_node() -> None:
    assert tasks_by_node("2(x3),1") == [2, 2, 2, 1]


def test_a_number_of_processes_is_refused_where_they_are_started_already(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "4")
    assert not relaunched("auto")
    with pytest.raises(InputError, match="already process 1 of 4 .* leave --processes out"):
        relaunched("2")


@pytest.mark.parametrize("words", ["0", "-1", "two", "1.5"])
def test_a_wrong_number_of_processes_is_refused(words: str) -> None:
    with pytest.raises(InputError, match="give a number of at least 1, or auto"):
        relaunched(words)


@pytest.mark.parametrize("seconds", [0.0, -3.0, float("nan"), float("inf")])
def test_a_wrong_timeout_is_refused(seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNEKIT_TIMEOUT", "5")
    with pytest.raises(InputError, match="give seconds above 0"):
        set_patience(seconds)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "[gloo/pair.cc:553] Connection closed by peer [10.0.0.2]:15768. GLHF!",
            "10.0.0.2 closed the connection",
        ),
        ("[gloo/unbound_buffer.cc:78] Timed out waiting 5000ms for recv", "no answer within 5 s"),
        ("[gloo/pair.cc:537] Read error [10.0.0.2]:3488: Connection reset", "10.0.0.2 closed the connection"),
        ("[gloo] 1/2 clients joined.", "only 1 of 2 processes came"),
        ("[gloo] something new", "something new"),
    ],
)
def test_what_gloo_says_of_others_becomes_one_sentence(
    text: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert is_of_others(RuntimeError(text))
    assert reason in describe(RuntimeError(text))
    assert describe(RuntimeError(text)).startswith("another machine of this run was not reached")


def test_other_errors_stay_what_they_are() -> None:
    assert not is_of_others(RuntimeError("CUDA error: an illegal memory access"))


def test_a_meeting_is_not_deceived_by_what_an_earlier_start_has_left() -> None:
    from datetime import timedelta

    from torch.distributed import HashStore

    store = HashStore()
    for index in (1, 2):
        store.set(f"tunekit/hello/{index}", "dead")
    with ThreadPoolExecutor() as pool:
        host = pool.submit(welcome, store, 3, timedelta(seconds=60))
        others = [pool.submit(introduce, store, index) for index in (1, 2)]
        assert len({each.result(60) for each in [host, *others]}) == 1
        again = pool.submit(welcome, store, 3, timedelta(seconds=60))
        others = [pool.submit(introduce, store, index) for index in (1, 2)]
        assert {each.result(60) for each in others} == {again.result(60)} != {host.result(60)}


def test_who_does_not_come_is_counted() -> None:
    from datetime import timedelta

    from torch.distributed import DistStoreError, HashStore

    with pytest.raises(DistStoreError, match="1/3 clients joined"):
        welcome(HashStore(), 3, timedelta(seconds=0.05))


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"WORLD_SIZE": "4"}, "WORLD_SIZE is 4 without RANK.* unset WORLD_SIZE"),
        ({"RANK": "0", "WORLD_SIZE": "2"}, "without MASTER_ADDR and MASTER_PORT.* unset RANK WORLD_SIZE"),
        ({"RANK": "abc"}, "RANK is 'abc'.* unset RANK"),
        ({"RANK": "3"}, "RANK is 3 with WORLD_SIZE unset"),
        ({"LOCAL_RANK": "2", "LOCAL_WORLD_SIZE": "1"}, "LOCAL_RANK is 2"),
    ],
)
def test_variables_that_a_launcher_has_left_are_refused(
    variables: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_place()
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(InputError, match=said):
        check_place()


def test_a_port_that_is_taken_is_no_network_that_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        places = {"RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
        for name, value in places.items():
            monkeypatch.setenv(name, value)
        store.cache_clear()
        with pytest.raises(EnvironmentFailure, match=f"port {port} of this machine is in use"), together():
            pass


@pytest.fixture
def hangups() -> Iterator[None]:
    """What is done on SIGHUP is put back."""
    before = signal.getsignal(signal.SIGHUP)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("hangups")
def test_a_terminal_that_is_closed_saves_unless_that_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OMP_NUM_THREADS", "GLOO_SOCKET_IFNAME", "TUNEKIT_LAUNCHER"):
        monkeypatch.setenv(name, "")
    for handler, received in ((signal.SIG_DFL, "SIGHUP"), (signal.SIG_IGN, None)):
        signal.signal(signal.SIGHUP, handler)
        monkeypatch.setenv("TORCHELASTIC_SIGNALS_TO_HANDLE", "")
        prepare_environment(2)
        assert ("SIGHUP" in os.environ["TORCHELASTIC_SIGNALS_TO_HANDLE"]) == bool(received)
        with StopSignals() as signals:
            signal.raise_signal(signal.SIGHUP)
        assert signals.received == received


def test_processes_share_the_cores_that_they_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GLOO_SOCKET_IFNAME", "TUNEKIT_LAUNCHER", "TORCHELASTIC_SIGNALS_TO_HANDLE"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("OMP_NUM_THREADS", "")
    monkeypatch.delenv("OMP_NUM_THREADS")
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(6)), raising=False)
    monkeypatch.setattr("os.cpu_count", lambda: 64)
    prepare_environment(2)
    assert os.environ["OMP_NUM_THREADS"] == "3"


def test_a_closed_terminal_is_written_to_no_more(capfd: pytest.CaptureFixture[str]) -> None:
    with capfd.disabled():
        kept, (ours, theirs) = os.dup(2), os.openpty()
        try:
            os.dup2(theirs, 2)
            os.close(ours)
            with pytest.raises(OSError, match="Input/output error"):
                os.write(2, b"lost")
            leave_closed_terminal()
            os.write(2, b"lost")
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            os.close(theirs)


def test_a_signal_before_there_is_anything_to_save_ends_at_once() -> None:
    with pytest.raises(Interrupted, match="begins again, or continues"), StopSignals(at_once=True):
        signal.raise_signal(signal.SIGTERM)
