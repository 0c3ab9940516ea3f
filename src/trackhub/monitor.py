"""System metrics of the machine, of the training process, and of its GPUs. Sampled by the supervisor."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

_MB = 1_000_000.0
_LOOPBACK = ("lo", "lo0", "Loopback")


class Monitor:
    """Samples what the training with process id `pid` uses, and what its machine does meanwhile.

    A key that cannot be measured is left out. MB are millions of bytes; rates are means since the last sample.

    - ``system/cpu.percent``, ``system/memory.percent``: the whole machine, 0 to 100.
    - ``system/process.cpu.percent``: the training process and its children; 100 is one core kept busy.
    - ``system/process.memory.rss_mb``: theirs, in MB; pages that they share count for each.
    - ``system/disk.read_mb_s``, ``system/disk.write_mb_s``: all disks, MB per second.
    - ``system/network.sent_mb_s``, ``system/network.recv_mb_s``: all interfaces but loopback, MB per second.
    - ``system/gpu.N.utilization.percent`` (0 to 100), ``.memory_mb``, ``.power_w`` (watts), ``.temperature_c``
      (degrees Celsius): GPU N as NVML counts them, whoever uses it.

    The sampling process and its own children are no part of the training, although they descend from it.
    """

    def __init__(self, pid: int) -> None:
        self._sources: list[Callable[[], dict[str, float]]] = []
        for make in (_machine, lambda: _Processes(pid).sample, lambda: _Rates().sample, _gpus):
            self._add(make)
        self.sample()  # rates and percentages count from here

    def _add(self, make: Callable[[], Callable[[], dict[str, float]]]) -> None:
        try:
            self._sources.append(make())
        except Exception:  # noqa: BLE001 - no psutil, no driver, no permission: these keys stay out
            return

    def sample(self) -> dict[str, float]:
        """What can be measured now, by key. Never raises."""
        found: dict[str, float] = {}
        for source in self._sources:
            found |= _tried(source) or {}
        return {f"system/{key}": float(value) for key, value in found.items()}


class RankMonitor:
    """Samples the processes of the other ranks on this machine: ``rank-N/system/process.cpu.percent`` and so on."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, int], _Processes] = {}

    def sample(self, ranks: Mapping[int, int]) -> dict[str, float]:
        """What can be measured now, by key; of a rank that is seen for the first time nothing yet. Never raises.

        Args:
            ranks: the process id of each rank.
        """
        found: dict[str, float] = {}
        for rank, pid in ranks.items():
            if one := self._known.get((rank, pid)):
                found |= {f"rank-{rank}/system/{key}": value for key, value in (_tried(one.sample) or {}).items()}
            elif new := _tried(partial(_Processes, pid)):
                self._known[rank, pid] = new
                _tried(new.sample)  # percentages count from here
        return found


def _tried(measure: Callable[[], Any]) -> Any:
    """What `measure` returns, or None if it fails."""
    try:
        return measure()
    except Exception:  # noqa: BLE001 - a vanished process, a GPU that fell off its bus: its keys stay out
        return None


def _machine() -> Callable[[], dict[str, float]]:
    import psutil

    return lambda: {"cpu.percent": psutil.cpu_percent(), "memory.percent": psutil.virtual_memory().percent}


class _Processes:
    """The training process and its children; each is known from one sample to the next, for its CPU time."""

    def __init__(self, pid: int) -> None:
        import psutil

        self._root = psutil.Process(pid)
        self._own = psutil.Process(os.getpid())
        self._known = {self._root}

    def sample(self) -> dict[str, float]:
        current = self._tree()
        self._known = {process for process in self._known if process in current} | current
        cpu = [_tried(process.cpu_percent) for process in self._known]
        rss = [_rss(process) for process in self._known]
        if all(value is None for value in rss):
            return {}
        return {"process.cpu.percent": _total(cpu), "process.memory.rss_mb": _total(rss) / _MB}

    def _tree(self) -> set[Any]:
        if not self._root.is_running():
            return set()
        tree = {self._root, *self._root.children(recursive=True)}
        if self._own == self._root or self._own not in tree:
            return tree
        return tree - {self._own, *self._own.children(recursive=True)}


def _rss(process: Any) -> float | None:
    info = _tried(process.memory_info)
    return None if info is None else float(info.rss)


def _total(values: list[float | None]) -> float:
    return sum(value for value in values if value is not None)


class _Rates:
    """Disk and network: what their counters gained since the last sample, per second."""

    def __init__(self) -> None:
        self._before, self._at = _counters(), time.monotonic()

    def sample(self) -> dict[str, float]:
        now, at = _counters(), time.monotonic()
        before, seconds = self._before, at - self._at
        self._before, self._at = now, at
        gains = {key: count - before[key] for key, count in now.items() if key in before}
        return {key: gain / _MB / seconds for key, gain in gains.items() if gain >= 0 and seconds > 0}


def _counters() -> dict[str, float]:
    return {**(_tried(_disk) or {}), **(_tried(_network) or {})}


def _disk() -> dict[str, float]:
    import psutil

    counters = psutil.disk_io_counters()
    return {"disk.read_mb_s": counters.read_bytes, "disk.write_mb_s": counters.write_bytes} if counters else {}


def _network() -> dict[str, float]:
    import psutil

    links = [link for name, link in psutil.net_io_counters(pernic=True).items() if not name.startswith(_LOOPBACK)]
    return {
        "network.sent_mb_s": sum(link.bytes_sent for link in links),
        "network.recv_mb_s": sum(link.bytes_recv for link in links),
    }


def _gpus() -> Callable[[], dict[str, float]]:
    import pynvml

    pynvml.nvmlInit()
    handles = [pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(pynvml.nvmlDeviceGetCount())]

    def sample() -> dict[str, float]:
        found = {f"gpu.{n}.{key}": value for n, handle in enumerate(handles) for key, value in _gpu(handle).items()}
        return {key: value for key, value in found.items() if value is not None}

    return sample


def _gpu(handle: Any) -> dict[str, float | None]:
    import pynvml

    return {
        "utilization.percent": _tried(lambda: pynvml.nvmlDeviceGetUtilizationRates(handle).gpu),
        "memory_mb": _tried(lambda: pynvml.nvmlDeviceGetMemoryInfo(handle).used / _MB),
        "power_w": _tried(lambda: pynvml.nvmlDeviceGetPowerUsage(handle) / 1000),
        "temperature_c": _tried(lambda: pynvml.nvmlDeviceGetTemperature(handle, pynvml.NVML_TEMPERATURE_GPU)),
    }
