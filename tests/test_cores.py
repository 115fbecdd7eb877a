"""Cores are counted by what the process may run on and by the quotas of its control groups."""

from __future__ import annotations

import pytest

from hyperfocal import control_groups, cores
from hyperfocal.imaging import threads
from hyperfocal.models.hardware import available_cores as of_the_models
from hyperfocal.server.pool.pool import Pool
from hyperfocal.server.settings import ServerSettings

V1 = "12:memory:/docker/x\n4:cpu,cpuacct:/docker/x\n1:name=systemd:/docker/x\n"


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine of 64 cores; ``machine(groups, {file: text})`` puts this process into groups."""
    monkeypatch.setattr(cores, "core_numbers", lambda: tuple(range(64)))
    monkeypatch.setattr(control_groups, "_GROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(control_groups, "_OWN_GROUPS", tmp_path / "own")

    def put(groups, files):
        (tmp_path / "own").write_text(groups)
        for name, text in files.items():
            file = tmp_path / "cgroup" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)

    return put


@pytest.mark.parametrize(
    ("groups", "files", "expected"),
    [
        ("0::/\n", {"cpu.max": "200000 100000\n"}, 2),
        ("0::/\n", {"cpu.max": "150000 100000\n"}, 2),
        ("0::/\n", {"cpu.max": "10000 100000\n"}, 1),
        ("0::/\n", {"cpu.max": "6500000 100000\n"}, 64),
        ("0::/\n", {"cpu.max": "max 100000\n"}, 64),
        ("0::/\n", {"cpu.max": "\n"}, 64),
        ("0::/\n", {"cpu.max": "100000 0\n"}, 64),
        ("0::/\n", {}, 64),
        # A container that is shown where its group lies outside.
        ("0::/docker/x\n", {"cpu.max": "300000 100000\n"}, 3),
        # A service of systemd, whose slice has less than itself.
        (
            "0::/a.slice/b.service\n",
            {"a.slice/cpu.max": "400000 100000", "a.slice/b.service/cpu.max": "800000 100000"},
            4,
        ),
        (V1, {"cpu/cpu.cfs_quota_us": "250000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 3),
        (V1, {"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, 64),
        (
            V1,
            {
                "cpu/docker/x/cpu.cfs_quota_us": "50000",
                "cpu/docker/x/cpu.cfs_period_us": "25000",
                "cpu/cpu.cfs_quota_us": "-1",
                "cpu/cpu.cfs_period_us": "100000",
            },
            2,
        ),
        # Not its own.
        ("0::/mine\n", {"theirs/cpu.max": "100000 100000"}, 64),
        ("", {"cpu.max": "100000 100000"}, 64),
        ("nonsense\n", {}, 64),
    ],
)
def test_quotas_count(machine, groups, files, expected):
    machine(groups, files)
    assert cores.available_cores() == expected


def test_what_the_process_may_run_on_counts(machine, monkeypatch):
    monkeypatch.setattr(cores, "core_numbers", lambda: (3, 5))
    machine("0::/\n", {"cpu.max": "800000 100000"})
    assert cores.available_cores() == 2


def test_a_system_without_groups(machine):
    assert cores.available_cores() == 64


def test_everybody_counts_the_same_way(machine, monkeypatch, tmp_path):
    machine("0::/\n", {"cpu.max": "200000 100000\n"})
    assert of_the_models is threads.available_cores is cores.available_cores
    monkeypatch.setattr("hyperfocal.server.pool.pool.core_numbers", lambda: tuple(range(64)))
    assert Pool(ServerSettings(data=tmp_path)).capacity == 2
