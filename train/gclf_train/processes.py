"""The processes that train one network together, as ``torchrun`` starts them.

Numbers that processes tell each other travel between processors (gloo); gradients travel between CUDA
devices (NCCL) where the network is on one.
"""

from __future__ import annotations

import contextlib
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed import PrefixStore, Store, TCPStore  # type: ignore[attr-defined]

from gclf_live.errors import GclfError, UsageError

_T = TypeVar("_T")

_STAY_S = 2.0
# How long one may wait for another: the first finds all faces of a dataset while the others wait.
_PATIENCE = timedelta(hours=12)
_PARTNER_GONE = re.compile(r"gloo|nccl|connection (closed|reset|refused)|broken pipe|socket", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Processes:
    """The processes of one run; without arguments, this one alone.

    Attributes:
        rank: number of this process, from 0. The first one alone writes and speaks.
        world: how many there are.
        local_rank: its number on this machine: that of its CUDA device.
        local_world: how many there are on this machine.
    """

    rank: int = 0
    world: int = 1
    local_rank: int = 0
    local_world: int = 1

    @property
    def first(self) -> bool:
        """Whether this is the one that writes and speaks."""
        return self.rank == 0

    def share(self, count: int) -> slice:
        """This process's part of ``count`` things in a row; parts differ by one at most."""
        size, more = divmod(count, self.world)
        start = self.rank * size + min(self.rank, more)
        return slice(start, start + size + (self.rank < more))

    def sum(self, values: Tensor) -> Tensor:
        """The sum over all processes of a tensor in the processor's memory; may change ``values``."""
        if self.world > 1:
            dist.all_reduce(values)
        return values

    def any(self, *flags: bool) -> tuple[bool, ...]:
        """Whether each flag is set in any process. Every process must ask."""
        if self.world == 1:
            return flags
        return tuple(self.sum(torch.tensor(flags, dtype=torch.int32)).gt(0).tolist())

    def gather(self, value: _T) -> list[_T]:
        """Every process's value, in the order of their ranks, in every process."""
        if self.world == 1:
            return [value]
        values: list[Any] = [None] * self.world
        dist.all_gather_object(values, value)
        return values

    def from_first(self, compute: Callable[[], _T]) -> _T:
        """What ``compute`` gives in the first process, which alone calls it; it must be a plain object."""
        if self.world == 1:
            return compute()
        box = [compute() if self.first else None]
        dist.broadcast_object_list(box, src=0, device=torch.device("cpu"))
        return box[0]  # type: ignore[return-value]  # the first has filled it

    def after_first(self, compute: Callable[[], _T]) -> _T:
        """Call ``compute`` in every process, in the others once the first is done and has filled a cache."""
        if not self.first:
            self.any(False)
        result = compute()
        if self.first:
            self.any(False)
        return result


@contextlib.contextmanager
def joined_processes() -> Iterator[Processes]:
    """Join the other processes of this run, if it was started by ``torchrun``, until the block ends.

    What ends the block is told once: the first process that has something to say says it, and the others
    end in silence with the same exit code.

    Raises:
        UsageError: the environment says that there are several and not where.
        GclfError: another process is gone.
        SystemExit: this process has failed and another one has told it.
    """
    here = _environment()
    if here.world == 1:
        yield here
        return
    store = _store(here)
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    try:
        dist.init_process_group(
            backend, store=store, rank=here.rank, world_size=here.world, timeout=_PATIENCE
        )
        yield here
    except BaseException as error:
        if _told_already(store, here):
            raise SystemExit(int(getattr(error, "exit_code", 1))) from error
        if isinstance(error, RuntimeError) and _PARTNER_GONE.search(str(error)):
            raise GclfError(
                f"one of the {here.world} processes of this run has ended; start them again with --resume"
            ) from error
        raise
    finally:
        _leave()


def _leave() -> None:
    """End the group's threads, which would abort this process if they still ran while Python ends.

    It may wait for a process that will not answer any more; this one then goes without.
    """
    if dist.is_initialized():
        leaving = threading.Thread(target=_destroy, daemon=True)
        leaving.start()
        leaving.join(_STAY_S)


def _destroy() -> None:
    with contextlib.suppress(RuntimeError):  # the others are gone, and the group with them
        dist.destroy_process_group()


def _told_already(store: Store, here: Processes) -> bool:
    """Whether another process has said what is wrong; from now on this one has.

    The first process stays a moment until the others have asked as well: it may be the one that keeps the
    store, which would be gone with it.
    """
    try:
        told = store.add("told", 1) > 1
        deadline_s = time.monotonic() + _STAY_S
        while here.first and store.add("told", 0) < here.world and time.monotonic() < deadline_s:
            time.sleep(0.02)
    except RuntimeError:  # whoever kept the store was killed, and could say nothing
        return False
    return bool(told)


def _environment() -> Processes:
    """Who this process is, as ``torchrun`` tells it."""
    if int(os.environ.get("WORLD_SIZE") or 1) == 1 or "RANK" not in os.environ:
        return Processes()
    names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
    missing = [name for name in names if name not in os.environ]
    if missing:
        raise UsageError(
            f"RANK and WORLD_SIZE are set and {', '.join(missing)} not; start several processes with "
            "torchrun --nproc-per-node N -m gclf_live train ..., or one without these variables"
        )
    return Processes(
        *(int(os.environ[name]) for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE"))
    )


def _store(here: Processes) -> Store:
    """Where the processes find each other; torchrun keeps it, so that it outlives each of them."""
    hosted = os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"
    store = TCPStore(
        os.environ["MASTER_ADDR"],
        int(os.environ["MASTER_PORT"]),
        world_size=here.world,
        is_master=here.first and not hosted,
        timeout=timedelta(minutes=5),
        wait_for_workers=False,
        multi_tenant=True,
    )
    attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
    return PrefixStore(f"gclf-live/{attempt}", store)
