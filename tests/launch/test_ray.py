"""Ray Train for real: two workers, one of which is killed, and the run continues from its checkpoint.

Ray listens on every address of its machine, so this one is a network namespace that has none but loopback.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests import tiny
from tests.launch.test_launcher import alive

ROOT = Path(__file__).parents[2]
LIMIT = 900.0  # seconds that anything may take
able = os.geteuid() == 0 and shutil.which("unshare") is not None and shutil.which("ip") is not None
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("ray") is None, reason="needs ray"),
    pytest.mark.skipif(not able, reason="needs root, and the commands unshare and ip"),
]
ALONE = [
    "unshare",
    "--net",
    "--pid",
    "--fork",
    "--mount-proc",
    "--kill-child",
    "sh",
    "-c",
]  # ends with all in it
ENVIRONMENT = {
    "PYTHONPATH": str(ROOT),
    "OMP_NUM_THREADS": "1",
    "RAY_AUTH_MODE": "disabled",
    "RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S": "200",
    "RAY_DEDUP_LOGS": "0",
}


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder with a short name, which Ray's sockets need."""
    folder = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def workers() -> list[int]:
    """The processes of Ray that train."""
    found = []
    for each in Path("/proc").iterdir():
        try:
            words = (each / "cmdline").read_bytes() if each.name.isdecimal() else b""
        except OSError:
            continue
        if words.startswith(b"ray::RayTrainWorker") or b"_RayTrainWorker" in words:
            found.append(int(each.name))
    return sorted(each for each in found if alive(each))


def test_a_killed_worker_of_ray_lets_the_run_continue(
    checkpoint: Callable[..., Path], data: Callable[[str], Path], tmp_path: Path, short: Path
) -> None:
    settings = {"steps": 150, "save_every": 10, "log_every": 10, "evaluate_every": 50}
    recipe = tiny.recipe(
        tmp_path / "t.yaml",
        "text-classification",
        checkpoint("bert"),
        data("text-classification"),
        **settings,
    )
    script, run, said = ROOT / "docs" / "examples" / "ray_train.py", tmp_path / "run", tmp_path / "said.txt"
    begin = 'ip link set lo up && exec "$@"'
    command = [*ALONE, begin, "sh", sys.executable, str(script), str(recipe), str(run)]
    with said.open("w") as file:
        own = os.environ | ENVIRONMENT | {"RAY_TMPDIR": str(short), "HOME": str(short)}
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, env=own)
    try:
        end = time.monotonic() + LIMIT
        while not any((run / "checkpoints").glob("step-*")):
            assert time.monotonic() < end and process.poll() is None, said.read_text()
            time.sleep(0.01)
        training = workers()
        assert len(training) == 2, said.read_text()
        os.kill(training[1], signal.SIGKILL)
        assert process.wait(LIMIT) == 0, said.read_text()
    finally:
        process.kill()
        process.wait()
    text = said.read_text()
    assert "continuing after step" in text
    assert "training on 2 x cpu" in text
    assert (run / "model" / "model.safetensors").is_file()
    assert workers() == []
