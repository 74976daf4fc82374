"""Transfers that leave room for a kernel while it computes."""

from __future__ import annotations

import asyncio
import json
import time

import pytest
from jupyter_client.asynchronous import AsyncKernelClient

LIMIT = 400_000
SIZE = 300_000
FILES = 6


@pytest.fixture
def environment(environment, monkeypatch):
    monkeypatch.setenv("JUPYTER_STORAGE_BUSY_BANDWIDTH", str(LIMIT))


@pytest.fixture
def kernel(extension, jp_asyncio_loop):
    """A kernel of the server, and who talks to it."""
    manager = extension.serverapp.kernel_manager
    wait = jp_asyncio_loop.run_until_complete
    identifier = wait(manager.start_kernel(kernel_name="python3"))
    started = manager.get_kernel(identifier)
    client = AsyncKernelClient(**started.get_connection_info(session=True))
    # Whether it lives is not asked: on a busy machine the answer may come too late to count.
    client.start_channels(hb=False)
    yield client, started
    client.stop_channels()
    wait(manager.shutdown_kernel(identifier, now=True))


async def seconds_of_a_copy(api, name: str) -> float:
    body = {"operation": "copy", "sources": ["shared:d"], "destination": f"local:{name}"}
    began = time.monotonic()
    identifier = json.loads((await api("POST", "transfers", json_body=body)).body)["id"]
    while True:
        record = json.loads((await api("GET", f"transfers/{identifier}")).body)
        if record["state"] == "done":
            assert record["files_done"] == FILES
            return time.monotonic() - began
        assert record["state"] in {"waiting", "planning", "running"}, record
        await asyncio.sleep(0.02)


async def until(condition) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)


async def test_transfers_slow_down_while_a_kernel_is_busy(api, service, tier, kernel):
    (tier / "d").mkdir()
    for number in range(FILES):
        (tier / "d" / str(number)).write_bytes(bytes(SIZE))
    client, manager = kernel
    limit = service._engine.bandwidth
    await until(lambda: limit.limit == 0)
    client.execute("import time; time.sleep(100)")
    await until(lambda: limit.limit == LIMIT)
    assert await seconds_of_a_copy(api, "slow") > (FILES - 1) * SIZE / LIMIT * 0.9
    await manager.interrupt_kernel()
    await until(lambda: limit.limit == 0)
    assert await seconds_of_a_copy(api, "fast") < (FILES - 1) * SIZE / LIMIT * 0.9
