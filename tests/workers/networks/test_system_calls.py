"""The filter of system calls, interpreted as the kernel does, for machines that are not at hand too."""

import errno
import struct

import pytest

from workers.networks.system_calls import ALLOW, ARCHITECTURES, KILL, REFUSE, REFUSED, build_filter

PROCESS = 4321
READ, MMAP, GETRLIMIT = (0, 63), (9, 222), (302, 261)
NO, NOT_HERE = REFUSE | errno.EPERM, REFUSE | errno.ENOSYS


def answer(code, architecture, number, argument=0):
    """Interpret a filter by the meaning of the instructions in linux/bpf_common.h."""
    data = struct.pack("iIQ6Q", number, architecture, 0, argument, 0, 0, 0, 0, 0)
    instructions = list(struct.iter_unpack("HBBI", code))
    at = word = 0
    while True:
        operation, yes, no, operand = instructions[at]
        at += 1
        match operation:
            case 0x20:
                (word,) = struct.unpack_from("I", data, operand)
            case 0x06:
                return operand
            case 0x15:
                at += yes if word == operand else no
            case 0x35:
                at += yes if word >= operand else no
            case 0x45:
                at += yes if word & operand else no


@pytest.fixture(params=sorted(ARCHITECTURES))
def machine(request):
    return request.param


@pytest.fixture
def ask(machine):
    name, _ = ARCHITECTURES[machine]
    code = build_filter(machine, PROCESS)
    return lambda number, argument=0, name=name: answer(code, name, number, argument)


@pytest.fixture
def column(machine):
    return ARCHITECTURES[machine][1]


def test_ordinary_calls_pass(ask, column):
    assert {ask(numbers[column]) for numbers in (READ, MMAP)} == {ALLOW}


def test_refused_calls_do_not(ask, column):
    numbers = [numbers[column] for numbers in REFUSED.values() if numbers[column] is not None]
    assert len(numbers) == len(set(numbers)) >= 28
    assert {ask(number) for number in numbers} == {NO}


def test_threads_may_be_made_and_processes_not(ask, column):
    clone = (56, 220)[column]
    assert ask(clone, 0x3D0F00) == ALLOW  # the flags of pthread_create
    assert ask(clone, 17) == NO  # those of fork
    assert ask(435) == NOT_HERE


def test_a_process_signals_and_limits_itself_alone(ask, column):
    tgkill = (234, 131)[column]
    assert (ask(tgkill, PROCESS), ask(tgkill, PROCESS + 1)) == (ALLOW, NO)
    assert (ask(GETRLIMIT[column], 0), ask(GETRLIMIT[column], 1)) == (ALLOW, NO)


def test_other_tables_of_calls_are_closed(ask):
    assert ask(0x40000000 + 41) == NO
    assert ask(41, name=0x40000003) == KILL  # 32-bit calls
