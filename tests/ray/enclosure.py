"""A place for Ray: a network of its own with nothing but loopback, and processes that end together.

Ray listens on the machine's own address and looks for others, so it gets a network namespace; and
its many processes leave their parents, so each run gets a process namespace, which the kernel
kills as a whole.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

S3_PORT = 5000
S3_ENDPOINT = f"http://127.0.0.1:{S3_PORT}"
BUCKET = "s3://experiments"
ARTIFACTS = f"{BUCKET}/default/default/artifact_storage"

BUSY = 75
"""Exit status of what should be tried once more."""

MIDDLE = "in the middle"
"""What is printed when it is time to be killed."""

LEAN = str(Path(__file__).with_name("lean"))
"""A directory that makes processes of Ray start in half the time, when Python looks there first."""

_TRIES = 4
_READY = "ready"
_SERVER = f"""
import time
import botocore.session
from moto.server import ThreadedMotoServer
ThreadedMotoServer("127.0.0.1", {S3_PORT}, verbose=False).start()
botocore.session.Session().create_client(
    "s3", endpoint_url="{S3_ENDPOINT}", region_name="us-east-1",
    aws_access_key_id="team", aws_secret_access_key="any",
).create_bucket(Bucket="experiments")
print("{_READY}", flush=True)
time.sleep(86_400)
"""
_START_SERVER = f"ip link set lo up && exec {sys.executable} -c '{_SERVER}'"


def why_not() -> str | None:
    """Say why there can be no such place on this machine."""
    if not all(shutil.which(program) for program in ("unshare", "nsenter", "ip")):
        return "unshare, nsenter or ip is not installed"
    tried = subprocess.run(
        ["unshare", "-n", "-p", "--fork", "--mount-proc", "true"],
        capture_output=True,
        text=True,
        check=False,
    )
    return f"no namespaces here: {tried.stderr.strip()}" if tried.returncode else None


class Enclosure:
    """Runs Python in a network that has an S3 server."""

    def __init__(self, server: int, environment: Mapping[str, str]) -> None:
        self._network = f"--net=/proc/{server}/ns/net"
        self.environment = dict(environment)

    def start(self, words: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
        """Begin to run something; :meth:`kill` ends it with all that it started."""
        with log.open("wb") as output:
            return subprocess.Popen(
                [
                    *("nsenter", self._network),
                    *("unshare", "-p", "--fork", "--kill-child=KILL", "--mount-proc"),
                    *(sys.executable, *words),
                ],
                env=self.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        """Kill it and all that it started at once, as a power failure does."""
        # It is the parent of the namespace's first process, without which the kernel ends all.
        process.send_signal(signal.SIGKILL)
        process.wait()

    def run(self, words: Sequence[str], log: Path, *, until: str = "", timeout: float = 400) -> str:
        """Run something to its end, or kill it when it prints that, and give what it printed."""
        for _ in range(_TRIES):
            process = self.start(words, log)
            try:
                deadline = time.monotonic() + timeout
                while (status := process.poll()) is None:
                    printed = log.read_text()
                    if until and until in printed:
                        return printed
                    assert time.monotonic() < deadline, printed[-6000:]
                    time.sleep(0.1)
            finally:
                self.kill(process)
            if status != BUSY:
                break
        assert status == 0, log.read_text()[-6000:]
        return log.read_text()


@contextmanager
def enclosure(base: Path) -> Iterator[Enclosure]:
    """Make the place; ``base`` is for homes and logs."""
    home = base / "home"
    home.mkdir()
    # Sockets have short paths.
    short = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([LEAN, *filter(None, [os.environ.get("PYTHONPATH")])]),
        "HOME": str(home),
        "RAY_TMPDIR": str(short),
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_prestart_worker_first_driver": "0",
        "RAY_TRAIN_ENABLE_PREEMPTION_WATCHER": "0",
        "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.2",
        "TUNE_GLOBAL_CHECKPOINT_S": "1",
        "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
        "PYTHONWARNINGS": "ignore",
    }
    with (base / "server.log").open("wb") as log:
        server = subprocess.Popen(
            ["unshare", "-n", "sh", "-c", _START_SERVER], stdout=subprocess.PIPE, stderr=log
        )
    try:
        assert server.stdout is not None
        printed = iter(server.stdout.readline, b"")
        assert any(line.decode().strip() == _READY for line in printed), "no S3 server"
        yield Enclosure(server.pid, environment)
    finally:
        server.kill()
        server.communicate()
        shutil.rmtree(short, ignore_errors=True)
