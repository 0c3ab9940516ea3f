"""What the monitor measures, and what it does when it cannot."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from trackhub.monitor import Monitor

MACHINE = {"system/cpu.percent", "system/memory.percent"}
PROCESS = {"system/process.cpu.percent", "system/process.memory.rss_mb"}
Spawn = Callable[[str], "subprocess.Popen[str]"]


@pytest.fixture
def spawn() -> Iterator[Spawn]:
    """Starts Python code that prints a line when it is ready; all of it is killed at the end."""
    started: list[subprocess.Popen[str]] = []

    def start(code: str) -> subprocess.Popen[str]:
        process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout is not None
        process.stdout.readline()
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def fake_nvml(**overrides: Any) -> SimpleNamespace:
    """An NVML with two GPUs."""
    nvml = {
        "nvmlInit": lambda: None,
        "nvmlDeviceGetCount": lambda: 2,
        "nvmlDeviceGetHandleByIndex": lambda index: index,
        "nvmlDeviceGetUtilizationRates": lambda handle: SimpleNamespace(gpu=90 + handle, memory=5),
        "nvmlDeviceGetMemoryInfo": lambda handle: SimpleNamespace(used=3_000_000_000, total=80_000_000_000),
        "nvmlDeviceGetPowerUsage": lambda handle: 250_500,
        "nvmlDeviceGetTemperature": lambda handle, sensor: 60,
        "NVML_TEMPERATURE_GPU": 0,
    }
    return SimpleNamespace(**nvml | overrides)


def fails(*_: Any, **__: Any) -> Any:
    raise RuntimeError("GPU is lost")


def test_a_sample_of_this_process_has_the_machine_and_the_process() -> None:
    sample = Monitor(os.getpid()).sample()
    assert sample.keys() >= MACHINE | PROCESS
    assert all(type(value) is float and value >= 0 for value in sample.values())
    assert 0 < sample["system/memory.percent"] <= 100
    rss = psutil.Process().memory_info().rss / 1e6
    assert 0.5 * rss < sample["system/process.memory.rss_mb"] < 20 * rss


def test_a_busy_process_is_seen_as_busy_and_its_children_count(spawn: Spawn) -> None:
    child = "print(flush=True); memory = bytearray(200_000_000)\nwhile True: pass"
    parent = spawn(f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])")
    try:
        monitor = Monitor(parent.pid)
        time.sleep(0.6)
        monitor.sample()
        time.sleep(0.3)
        sample = monitor.sample()
        assert sample["system/process.cpu.percent"] > 5
        assert sample["system/process.memory.rss_mb"] > 200
    finally:
        for process in psutil.Process(parent.pid).children():
            process.kill()


def test_the_sampling_process_is_no_part_of_the_training() -> None:
    code = (
        "import os, time, psutil; from trackhub.monitor import Monitor; big = b'x' * 300_000_000;"
        "print(Monitor(os.getppid()).sample()['system/process.memory.rss_mb']"
        " - psutil.Process(os.getppid()).memory_info().rss / 1e6)"
    )
    parent = f"import subprocess, sys; sys.exit(subprocess.run([sys.executable, '-c', {code!r}]).returncode)"
    done = subprocess.run([sys.executable, "-c", parent], capture_output=True, text=True, check=True, timeout=60)
    assert abs(float(done.stdout)) < 50


def test_a_vanished_process_leaves_its_keys_out(spawn: Spawn) -> None:
    process = spawn("import time; print(flush=True); time.sleep(60)")
    monitor = Monitor(process.pid)
    assert monitor.sample().keys() >= PROCESS
    process.kill()
    process.wait()
    sample = monitor.sample()
    assert not PROCESS & sample.keys()
    assert sample.keys() >= MACHINE
    assert not PROCESS & Monitor(process.pid).sample().keys()


def test_rates_are_per_second_since_the_last_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    disk = SimpleNamespace(read_bytes=0, write_bytes=0)
    links = {"eth0": SimpleNamespace(bytes_sent=0, bytes_recv=0), "lo": SimpleNamespace(bytes_sent=0, bytes_recv=0)}
    clock = SimpleNamespace(now=100.0)
    clock.monotonic = lambda: clock.now
    monkeypatch.setattr(psutil, "disk_io_counters", lambda: disk)
    monkeypatch.setattr(psutil, "net_io_counters", lambda pernic: links)
    monkeypatch.setattr("trackhub.monitor.time", clock)
    monitor = Monitor(os.getpid())
    disk.read_bytes, disk.write_bytes, clock.now = 8_000_000, 2_000_000, 104.0
    links["eth0"].bytes_sent, links["lo"].bytes_sent = 1_000_000, 99_000_000
    sample = monitor.sample()
    assert (sample["system/disk.read_mb_s"], sample["system/disk.write_mb_s"]) == (2.0, 0.5)
    assert (sample["system/network.sent_mb_s"], sample["system/network.recv_mb_s"]) == (0.25, 0.0)
    disk.read_bytes, clock.now = 5, 105.0
    assert "system/disk.read_mb_s" not in monitor.sample()


def test_a_machine_without_disks_or_with_a_failing_counter_leaves_those_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psutil, "disk_io_counters", lambda: None)
    monkeypatch.setattr(psutil, "net_io_counters", fails)
    monkeypatch.setattr(psutil, "virtual_memory", fails)
    sample = Monitor(os.getpid()).sample()
    assert sample.keys() & {*MACHINE, *PROCESS, "system/disk.read_mb_s", "system/network.sent_mb_s"} == PROCESS


def test_gpus_are_told_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", fake_nvml())
    sample = Monitor(os.getpid()).sample()
    assert {key: value for key, value in sample.items() if "gpu.1" in key} == {
        "system/gpu.1.utilization.percent": 91.0,
        "system/gpu.1.memory_mb": 3000.0,
        "system/gpu.1.power_w": 250.5,
        "system/gpu.1.temperature_c": 60.0,
    }
    assert sample["system/gpu.0.utilization.percent"] == 90.0


def test_a_gpu_that_fails_in_part_keeps_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", fake_nvml(nvmlDeviceGetPowerUsage=fails))
    sample = Monitor(os.getpid()).sample()
    assert "system/gpu.0.power_w" not in sample
    assert "system/gpu.0.memory_mb" in sample


@pytest.mark.parametrize("nvml", [None, fake_nvml(nvmlInit=fails), fake_nvml(nvmlDeviceGetCount=fails)])
def test_no_gpu_or_no_driver_is_no_trouble(monkeypatch: pytest.MonkeyPatch, nvml: Any) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", nvml)
    sample = Monitor(os.getpid()).sample()
    assert not [key for key in sample if "gpu" in key]
    assert sample.keys() >= MACHINE | PROCESS


def test_importing_it_loads_neither_psutil_nor_torch() -> None:
    code = "import sys, trackhub.monitor; print({'psutil', 'pynvml', 'torch'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "set()\n"
