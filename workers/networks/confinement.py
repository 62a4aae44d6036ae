"""Confinement of a process to what it already has: no network, no other process, no files but those it is left.

What Linux offers to any user, irrevocable and inherited: resource limits, Landlock for files, seccomp for system calls.
"""

import ctypes
import logging
import os
import platform
import resource
import signal
import sys
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

from workers.networks import system_calls

log = logging.getLogger(__name__)

SET_PDEATHSIG, SET_NO_NEW_PRIVS = 1, 38
"""Of prctl."""
CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
"""Landlock's system calls, which have these numbers on every machine."""
FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
"""How many rights on files each version of Landlock knows; later ones know as many as the last."""
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR, _, REMOVE_FILE = (1 << bit for bit in range(6))
MAKE_FILE, TRUNCATE, IOCTL = 1 << 8, 1 << 14, 1 << 15
ON_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL
"""Rights that a rule for a file, and not for a directory, may name."""
READING = READ_FILE | READ_DIR
WRITING = READING | WRITE_FILE | REMOVE_FILE | MAKE_FILE | TRUNCATE


class _Ruleset(ctypes.Structure):
    _fields_ = [("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scoped", ctypes.c_uint64)]


class _Rule(ctypes.Structure):
    _pack_ = 1
    _fields_ = [("rights", ctypes.c_uint64), ("directory", ctypes.c_int32)]


@cache
def missing() -> tuple[str, ...]:
    """What this platform lacks of the confinement, in words; said once to the log."""
    lacks = []
    if not _landlock_version():
        lacks.append("Landlock, so files of the same user stay readable")
    if not system_calls.can_filter():
        lacks.append("seccomp, so the network stays reachable")
    if lacks:
        log.warning("exported archives load in a process that is confined less: there is no %s", "; no ".join(lacks))
    return tuple(lacks)


def confine(readable: Iterable[Path], writable: Iterable[Path], limits: Mapping[int, int]) -> None:
    """Give up, for this process and for good, all that is neither open yet nor named here.

    Parameters
    ----------
    readable, writable
        Directories and files that may be read, and directories in which files may be made; others are closed.
    limits
        By RLIMIT_*: the most that the process may use.

    Raises
    ------
    OSError
        If something that the platform has, see `missing`, cannot be applied.
    """
    for limit, most in {resource.RLIMIT_CORE: 0, **limits}.items():
        resource.setrlimit(limit, (most, most))
    if sys.platform != "linux":
        return
    Path("/proc/self/oom_score_adj").write_text("1000")  # where memory runs out, this process goes and not its parent
    _libc("prctl", SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    _libc("prctl", SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if version := _landlock_version():
        _close_files(version, readable, writable)
    if system_calls.can_filter():
        system_calls.install(system_calls.build_filter(platform.machine(), os.getpid()))


def _libc(name: str, *args: object) -> int:
    # a number takes a whole register, whatever the function's arguments are
    whole = [ctypes.c_long(arg) if isinstance(arg, int) else arg for arg in args]
    result: int = getattr(ctypes.CDLL(None, use_errno=True), name)(*whole)
    if result < 0:
        raise OSError(ctypes.get_errno(), f"{name}{args[:2]}: {os.strerror(ctypes.get_errno())}")
    return result


def _landlock_version() -> int:
    """Version of the kernel's Landlock; 0 where there is none."""
    if sys.platform != "linux":
        return 0
    try:
        return _libc("syscall", CREATE_RULESET, None, 0, 1)
    except OSError:
        return 0


def _close_files(version: int, readable: Iterable[Path], writable: Iterable[Path]) -> None:
    rights = (1 << FILE_RIGHTS.get(version, FILE_RIGHTS[5])) - 1
    # bind and connect by TCP; abstract unix sockets and signals to the outside
    wanted = _Ruleset(rights, 3 if version >= 4 else 0, 3 if version >= 6 else 0)
    ruleset = _libc("syscall", CREATE_RULESET, ctypes.byref(wanted), ctypes.sizeof(wanted), 0)
    for paths, allowed in ((readable, READING), (writable, WRITING)):
        for path in paths:
            if path.exists():
                _allow(ruleset, path, allowed & rights)
    _libc("syscall", RESTRICT_SELF, ruleset, 0)
    os.close(ruleset)


def _allow(ruleset: int, path: Path, rights: int) -> None:
    opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        rule = _Rule(rights if path.is_dir() else rights & ON_FILES, opened)
        _libc("syscall", ADD_RULE, ruleset, 1, ctypes.byref(rule), 0)
    finally:
        os.close(opened)
