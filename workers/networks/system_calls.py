"""A seccomp filter under which a process computes and uses the files it has, and reaches nobody else."""

import ctypes
import errno
import os
import platform
import struct
import sys

ARCHITECTURES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}
"""By machine: how the kernel calls it, and the column of `REFUSED`."""
SECCOMP = {"x86_64": 317, "aarch64": 277}
SET_MODE_FILTER, GET_ACTION_AVAIL, ALL_THREADS = 1, 2, 1
ALLOW, REFUSE, KILL = 0x7FFF0000, 0x00050000, 0x80000000
LOAD, EQUAL, AT_LEAST, ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
"""Instructions of the filter: load a word, compare it with a number, end."""
NUMBER, ARCHITECTURE, FIRST_ARGUMENT = 0, 4, 16
"""Where the words are that it looks at."""
OTHER_TABLE = 0x40000000
"""Numbers from here on are a second table of the same calls on x86_64."""
THREAD = 0x10000
"""A flag of clone: a thread of the same process."""

REFUSED = {
    # talking to others
    "socket": (41, 198),
    "socketpair": (53, 199),
    "io_uring_setup": (425, 425),  # opens sockets without a call
    "shmget": (29, 194),
    "shmat": (30, 196),
    "semget": (64, 190),
    "msgget": (68, 186),
    "mq_open": (240, 180),
    # becoming or starting another program
    "execve": (59, 221),
    "execveat": (322, 281),
    "fork": (57, None),
    "vfork": (58, None),
    # reaching into other processes
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438),
    "pidfd_send_signal": (424, 424),
    "kill": (62, 129),
    "tkill": (200, 130),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
    # the kernel's rarer doors
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "open_by_handle_at": (304, 265),
}
"""Numbers of the refused system calls, on x86_64 and on aarch64."""
CLONE3 = 435
CLONE, TGKILL, PRLIMIT = (56, 220), (234, 131), (302, 261)
"""Allowed for threads and for the process itself."""


def can_filter() -> bool:
    """Whether this platform has such filters, and this module knows its calls."""
    if sys.platform != "linux" or platform.machine() not in ARCHITECTURES:
        return False
    action = ctypes.c_uint32(REFUSE)
    return _seccomp(GET_ACTION_AVAIL, 0, ctypes.byref(action)) == 0


def build_filter(machine: str, process: int) -> bytes:
    """Write the filter's instructions for a machine, and for the process that it will bind."""
    name, column = ARCHITECTURES[machine]
    code = [
        _do(LOAD, ARCHITECTURE),
        _if(EQUAL, name, skip=1),
        _do(RETURN, KILL),
        _do(LOAD, NUMBER),
        _if(AT_LEAST, OTHER_TABLE, otherwise=1),
        _do(RETURN, REFUSE | errno.EPERM),
    ]
    for numbers in REFUSED.values():
        if (number := numbers[column]) is not None:
            code += [_if(EQUAL, number, otherwise=1), _do(RETURN, REFUSE | errno.EPERM)]
    # libraries try clone, whose flags can be read, where there is no clone3
    code += [_if(EQUAL, CLONE3, otherwise=1), _do(RETURN, REFUSE | errno.ENOSYS)]
    code += _only(CLONE[column], _if(ANY_BIT, THREAD, skip=1))
    code += _only(TGKILL[column], _if(EQUAL, process, skip=1))
    code += _only(PRLIMIT[column], _if(EQUAL, 0, skip=1))
    return b"".join([*code, _do(RETURN, ALLOW)])


def install(code: bytes) -> None:
    """Bind every thread of this process to a filter; it needs to have given up new privileges before."""
    instructions = ctypes.create_string_buffer(code, len(code))
    program = struct.pack("HxxxxxxP", len(code) // 8, ctypes.addressof(instructions))
    if _seccomp(SET_MODE_FILTER, ALL_THREADS, program) != 0:
        raise OSError(ctypes.get_errno(), f"seccomp: {os.strerror(ctypes.get_errno())}")


def _seccomp(operation: int, flags: int, argument: object) -> int:
    call, numbers = ctypes.CDLL(None, use_errno=True).syscall, (SECCOMP[platform.machine()], operation, flags)
    result: int = call(*map(ctypes.c_long, numbers), argument)
    return result


def _do(instruction: int, operand: int) -> bytes:
    return struct.pack("HBBI", instruction, 0, 0, operand)


def _if(comparison: int, operand: int, skip: int = 0, otherwise: int = 0) -> bytes:
    """Skip so many instructions where the comparison holds, and so many `otherwise`."""
    return struct.pack("HBBI", comparison, skip, otherwise, operand)


def _only(number: int, condition: bytes) -> list[bytes]:
    """Refuse a call unless its first argument fulfils a condition that skips one instruction."""
    return [
        _if(EQUAL, number, otherwise=4),
        _do(LOAD, FIRST_ARGUMENT),
        condition,
        _do(RETURN, REFUSE | errno.EPERM),
        _do(RETURN, ALLOW),
    ]
