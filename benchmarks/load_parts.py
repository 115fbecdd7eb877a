"""The parts of the load test: each measures, and names the promises that it found broken."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import load_pictures as pictures
from load_client import Sent, closed_loop, connect, counted, open_loop, post
from load_direct import Direct
from load_service import Service, percentiles, watched

MODEL = "photo-fast-x2"
SMALL_MODEL = "photo-realtime-x2"
FORMATS = ("png", "jpeg")
LEAST_RATIO = 0.9
LOADS = (0.5, 1.0, 3.0)
MOSTLY_REFUSED = 3.0
CROWD = 50

# What memory may grow by before it is not called flat: a part, and MB.
_GROWTH, _SLACK_MB = 1.1, 32.0
# dB between a result, reduced again, and its own input.
_LEAST_LIKENESS = 28.0
_SOAK_SIDE = 96
_CROWD_SIDE = 192
_JOB_SIDE = 448
_FINAL = ("succeeded", "failed", "cancelled", "expired")
_PATIENCE = 300.0


@dataclass(frozen=True)
class Amounts:
    """How much is sent.

    ``rounds`` and ``batch``: direct calls and requests alternate, ``batch`` of each in a round;
    ``seconds``: of each open-loop load; ``soak``, ``under_kill``, ``jobs``: requests;
    ``kills``: of workers.
    """

    rounds: int
    batch: int
    seconds: float
    soak: int
    under_kill: int
    kills: int
    jobs: int


FULL = Amounts(rounds=8, batch=16, seconds=60, soak=10_000, under_kill=120, kills=3, jobs=24)
QUICK = Amounts(rounds=2, batch=6, seconds=4, soak=200, under_kill=24, kills=1, jobs=6)

Found = dict[str, Any]


async def throughput(service: Service, amounts: Amounts) -> Found:
    """Pictures a second through the service and by calling the engine, and the ratio.

    Each round measures both, one after the other, so that both meet the same neighbours; the
    ratio is the median of the rounds'.
    """
    direct = await asyncio.to_thread(Direct, MODEL, service.cores)
    clients = 2 * service.capacity
    found: Found = {"model": MODEL, "side": 512, "clients": clients, "rows": [], "broken": []}
    async with connect(service.url) as client:
        for form in FORMATS:
            picture = pictures.encoded(pictures.photograph(), form)
            request = partial(post, client, f"/v1/upscale?scale=2&model={MODEL}", picture)
            rounds: list[tuple[float, float, float]] = []
            everything: list[Sent] = []
            # The first is to warm up.
            for at in range(amounts.rounds + 1):
                batch = amounts.batch
                one = await asyncio.to_thread(direct.one_at_a_time, picture, form, batch)
                beside = await asyncio.to_thread(direct.side_by_side, picture, form, batch)
                sent, served = await closed_loop(request, batch, clients)
                if at:
                    rounds.append((batch / one, batch / beside, batch / served))
                    everything += sent
            row = {
                "format": form,
                "direct": statistics.median(one for one, _, _ in rounds),
                "direct_side_by_side": statistics.median(beside for _, beside, _ in rounds),
                "service": statistics.median(served for _, _, served in rounds),
                "ratio": statistics.median(served / one for one, _, served in rounds),
                "ratio_side_by_side": statistics.median(
                    served / beside for _, beside, served in rounds
                ),
                "statuses": counted(everything),
            }
            found["rows"].append(row)
            found["broken"] += _unexpected(everything, f"throughput, {form}")
            if row["ratio"] < LEAST_RATIO:
                found["broken"].append(f"{form}: {row['ratio']:.2f} of the direct throughput")
    return found


async def latency(service: Service, amounts: Amounts, capacity: float) -> Found:
    """Latency with random arrivals at parts and multiples of ``capacity``, pictures a second."""
    picture = pictures.encoded(pictures.photograph(), "jpeg")
    found: Found = {"model": MODEL, "side": 512, "format": "jpeg", "capacity": capacity}
    found |= {"seconds": amounts.seconds, "rows": [], "broken": []}
    async with connect(service.url) as client:

        async def request(due: float) -> Sent:
            address = f"/v1/upscale?scale=2&model={MODEL}"
            return await post(client, address, picture, due=due)

        await closed_loop(partial(request, time.perf_counter()), 4 * service.capacity, 8)
        for load in LOADS:
            async with watched(service) as memory:
                sent = await open_loop(request, load * capacity, amounts.seconds, seed=round(load))
            start, end = memory.peaks_mb()
            refused = [one for one in sent if one.status == 503]
            row = {
                "load": load,
                "sent": len(sent),
                "statuses": counted(sent),
                "answered": percentiles([one.seconds for one in sent if one.status == 200]),
                "refused": percentiles([one.seconds for one in refused]),
                "memory_start_mb": start,
                "memory_end_mb": end,
            }
            found["rows"].append(row)
            what = f"{load:.0%} load"
            allowed = (200,) if load < 1 else (200, 503)
            found["broken"] += _unexpected(sent, what, allowed)
            # In less time the queue takes them all.
            if load >= MOSTLY_REFUSED and amounts.seconds >= FULL.seconds:
                found["broken"] += _mostly(refused, sent, what)
            if any(one.retry_after is None for one in refused):
                found["broken"].append(f"{what}: a 503 without Retry-After")
            found["broken"] += _grown(what, start, end)
    if not service.is_alive():
        found["broken"].append("the service ended under load")
    return found


async def soak(service: Service, amounts: Amounts) -> Found:
    """Many requests for a small picture, and the memory at the beginning and at the end."""
    picture = pictures.encoded(pictures.small(_SOAK_SIDE), "jpeg")
    clients = 2 * service.capacity
    async with connect(service.url) as client:
        request = partial(post, client, f"/v1/upscale?scale=2&model={SMALL_MODEL}", picture)
        # Every worker is to have loaded the model, and its allocator to have settled.
        await closed_loop(request, max(20, amounts.soak // 10), clients)
        async with watched(service) as memory:
            sent, seconds = await closed_loop(request, amounts.soak, clients)
    start, end = memory.peaks_mb()
    return {
        "model": SMALL_MODEL,
        "side": _SOAK_SIDE,
        "format": "jpeg",
        "clients": clients,
        "requests": len(sent),
        "seconds": seconds,
        "statuses": counted(sent),
        "latency": percentiles([one.seconds for one in sent]),
        "memory_start_mb": start,
        "memory_end_mb": end,
        "broken": [*_unexpected(sent, "soak"), *_grown("soak", start, end)],
    }


async def worker_killed(service: Service, amounts: Amounts) -> Found:
    """Workers are killed under load: only what they held may fail, and each is replaced."""
    picture = pictures.encoded(pictures.photograph(), "jpeg")
    clients = service.capacity + 4
    killed: list[int] = []
    # Not before all workers are at work, and early enough for the new ones to be needed.
    moments = [
        amounts.under_kill * (at + 1) // (amounts.kills + 2) + 1 for at in range(amounts.kills)
    ]

    def on_done(count: int) -> None:
        if len(killed) < len(moments) and count >= moments[len(killed)]:
            victim = service.workers()[len(killed) % service.capacity]
            killed.append(victim.pid)
            victim.kill()

    async with connect(service.url) as client:
        request = partial(post, client, f"/v1/upscale?scale=2&model={MODEL}", picture)
        sent, _ = await closed_loop(request, amounts.under_kill, clients, on_done)
        whole = await _until(lambda: len(service.workers()) == service.capacity)
        after, _ = await closed_loop(request, 2 * service.capacity, service.capacity)
    failed = [one for one in sent if one.status != 200]
    broken = [
        f"a worker was killed: {one.status} {one.code}"
        for one in failed
        if (one.status, one.code) != (500, "worker-died")
    ]
    if len(failed) > len(killed):
        broken.append(f"{len(killed)} workers were killed and {len(failed)} requests failed")
    if not whole or set(killed) & {worker.pid for worker in service.workers()}:
        broken.append("a worker was not replaced")
    return {
        "killed": len(killed),
        "clients": clients,
        "statuses": counted(sent),
        "workers_after": len(service.workers()),
        "broken": [*broken, *_unexpected(after, "after a worker was killed")],
    }


async def service_killed(folder: Path, amounts: Amounts) -> Found:
    """The service is killed with jobs queued; started again, it has to bring each to its end."""
    inputs = pictures.different(amounts.jobs, _JOB_SIDE)
    with Service(folder) as service:
        async with connect(service.url) as client:
            submitted = [await _submit(client, one) for one in inputs]
            await _until_running(client, submitted)
            before = [one["status"] for one in await _jobs(client, submitted)]
            service.kill()
    with Service(folder) as service:
        began = time.perf_counter()
        async with connect(service.url) as client:
            ends = time.monotonic() + _PATIENCE
            jobs = await _jobs(client, submitted)
            while any(job["status"] not in _FINAL for job in jobs) and time.monotonic() < ends:
                await asyncio.sleep(0.2)
                jobs = await _jobs(client, submitted)
            seconds = time.perf_counter() - began
            results = [await client.get(f"{address}/result") for address in submitted]
    statuses = [job["status"] for job in jobs]
    broken = [f"a job is {status}" for status in statuses if status != "succeeded"]
    if "queued" not in before or "running" not in before:
        broken.append("the service was not killed in the middle of its work")
    for number, result in enumerate(results):
        if result.status_code != 200:
            broken.append(f"result {number}: {result.status_code}")
        else:
            broken += _not_its_own(f"job {number}", result.content, inputs, number)
    return {
        "jobs": len(submitted),
        "side": _JOB_SIDE,
        "before": _tally(before),
        "after": _tally(statuses),
        "seconds": seconds,
        "broken": broken,
    }


async def crowd(service: Service) -> Found:
    """Clients with different pictures at once; who is turned away comes back as told."""
    inputs = pictures.different(CROWD, _CROWD_SIDE)
    refused = 0

    async def one_client(number: int) -> Sent:
        nonlocal refused
        form = FORMATS[number % len(FORMATS)]
        picture = pictures.encoded(inputs[number], form)
        async with connect(service.url) as client:
            address = f"/v1/upscale?scale=2&model={MODEL}"
            ends = time.monotonic() + _PATIENCE
            while True:
                sent = await post(client, address, picture, keep=True)
                if sent.status != 503 or time.monotonic() > ends:
                    return sent
                refused += 1
                await asyncio.sleep(float(sent.retry_after or 1))

    sent = list(await asyncio.gather(*(one_client(number) for number in range(CROWD))))
    broken, own = _unexpected(sent, "crowd"), []
    for number, one in enumerate(sent):
        if one.status == 200:
            own.append(pictures.likeness(one.content, inputs)[number])
            broken += _not_its_own(f"client {number}", one.content, inputs, number)
    return {
        "clients": CROWD,
        "side": _CROWD_SIDE,
        "statuses": counted(sent),
        "refused_before": refused,
        "least_likeness_db": min(own, default=None),
        "broken": broken,
    }


def _not_its_own(
    whose: str, result: bytes, inputs: list[pictures.Pixels], number: int
) -> list[str]:
    likeness = pictures.likeness(result, inputs)
    if max(likeness) > likeness[number]:
        return [f"{whose} got the picture of {likeness.index(max(likeness))}"]
    if likeness[number] < _LEAST_LIKENESS:
        return [f"{whose} got a picture unlike its own: {likeness[number]:.1f} dB"]
    return []


def _unexpected(sent: Sequence[Sent], what: str, allowed: tuple[int, ...] = (200,)) -> list[str]:
    wrong = counted([one for one in sent if one.status not in allowed])
    return [f"{what}: {status}, {count} times" for status, count in wrong.items()]


def _mostly(refused: Sequence[Sent], sent: Sequence[Sent], what: str) -> list[str]:
    if 2 * len(refused) > len(sent):
        return []
    return [f"{what}: only {len(refused)} of {len(sent)} were told to come again"]


def _grown(what: str, start: float, end: float) -> list[str]:
    if end <= start * _GROWTH + _SLACK_MB:
        return []
    return [f"{what}: memory grew from {start:.0f} to {end:.0f} MB"]


def _tally(statuses: list[str]) -> dict[str, int]:
    return {status: statuses.count(status) for status in sorted(set(statuses))}


async def _submit(client: httpx.AsyncClient, pixels: pictures.Pixels) -> str:
    picture = pictures.encoded(pixels, "jpeg")
    answer = await client.post(f"/v1/jobs?scale=2&model={MODEL}", content=picture)
    answer.raise_for_status()
    return str(answer.headers["location"])


async def _jobs(client: httpx.AsyncClient, addresses: list[str]) -> list[dict[str, Any]]:
    answers = await asyncio.gather(*(client.get(address) for address in addresses))
    return [answer.raise_for_status().json() for answer in answers]


async def _until_running(client: httpx.AsyncClient, addresses: list[str]) -> None:
    ends = time.monotonic() + _PATIENCE
    while time.monotonic() < ends:
        if any(job["status"] == "running" for job in await _jobs(client, addresses)):
            return
        await asyncio.sleep(0.01)


async def _until(condition: Any) -> bool:
    ends = time.monotonic() + 60
    while not condition():
        if time.monotonic() > ends:
            return False
        await asyncio.sleep(0.1)
    return True
