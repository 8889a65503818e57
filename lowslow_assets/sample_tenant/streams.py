"""Randomness with names: every part of the tenant draws from its own stream.

There are two tools. `stream` gives a numpy generator that depends on the seed and a name alone, so
adding a campaign leaves every other draw unchanged. `mix` and `unit` turn integers into well-spread
bits without any state: the facts of one sign-in or one user (its lease, its spelling) are a
function of its number and stay the same whatever else is generated.
"""

import hashlib
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

Bits = npt.NDArray[np.uint64]

_STEP = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)


@cache
def salt(name: str) -> int:
    """A fixed 64-bit number for a name (unlike `hash`, the same in every process)."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little")


def stream(seed: int, name: str) -> np.random.Generator:
    """The random generator that belongs to this seed and this name."""
    return np.random.default_rng([seed, salt(name)])


def mix(*parts: Any) -> Bits:
    """Hash integers (scalars or arrays, broadcast together) into 64 bits, element by element."""
    state = np.uint64(0)
    with np.errstate(over="ignore"):
        for part in parts:
            state = _scramble(state ^ _bits(part))
    return np.asarray(state, dtype=np.uint64)


def unit(*parts: Any) -> npt.NDArray[np.float64]:
    """Like `mix`, as numbers spread evenly over [0, 1)."""
    return np.asarray((mix(*parts) >> np.uint64(11)) * 2.0**-53, dtype=np.float64)


def guids(high: Bits, low: Bits) -> list[str]:
    """Pairs of 64 bits as GUID text, `8-4-4-4-12` lower-case hexadecimal digits."""
    digits = np.column_stack([high, low]).astype(">u8").tobytes().hex()
    starts = range(0, len(digits), 32)
    return [
        f"{digits[i : i + 8]}-{digits[i + 8 : i + 12]}-{digits[i + 12 : i + 16]}"
        f"-{digits[i + 16 : i + 20]}-{digits[i + 20 : i + 32]}"
        for i in starts
    ]


def _bits(part: Any) -> Any:
    if isinstance(part, str):
        return np.uint64(salt(part))
    if isinstance(part, int):
        return np.uint64(part & 0xFFFFFFFFFFFFFFFF)
    return np.asarray(part).astype(np.uint64)


def _scramble(value: Any) -> Any:
    """The finaliser of splitmix64: every input bit reaches every output bit."""
    value = value + _STEP
    value = (value ^ (value >> np.uint64(30))) * _FIRST
    value = (value ^ (value >> np.uint64(27))) * _SECOND
    return value ^ (value >> np.uint64(31))
