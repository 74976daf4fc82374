"""The polynomial in a repository's config, for restic's own chunker.

We cut files in another way, but restic takes turns with us and refuses a polynomial that is
reducible. Polynomials over GF(2) are integers here: bit i is the coefficient of x^i.
"""

from __future__ import annotations

import secrets

__all__ = ["is_irreducible", "random_polynomial"]

_DEGREE = 53


def random_polynomial() -> int:
    """Choose an irreducible polynomial of degree 53."""
    while True:
        # The constant term must be 1, or x divides it.
        candidate = secrets.randbits(_DEGREE) | 1 << _DEGREE | 1
        if is_irreducible(candidate):
            return candidate


def is_irreducible(polynomial: int) -> bool:
    """Whether a polynomial of degree 53 has no factors.

    Rabin's test; 53 is prime, so that it has two conditions only: x^(2^53) = x modulo the
    polynomial, and x^2 - x shares no factor with it.

    References
    ----------
    M. O. Rabin, Probabilistic algorithms in finite fields, SIAM J. Comput. 9 (1980).
    """
    if polynomial.bit_length() != _DEGREE + 1:
        return False
    power = 0b10
    for _ in range(_DEGREE):
        power = _square(power, polynomial)
    return power == 0b10 and _gcd(0b110, polynomial) == 1


def _square(value: int, modulus: int) -> int:
    # Squaring over GF(2) spreads the bits: read the binary digits as base 4.
    return _remainder(int(f"{value:b}", 4), modulus)


def _remainder(value: int, modulus: int) -> int:
    length = modulus.bit_length()
    while (excess := value.bit_length() - length) >= 0:
        value ^= modulus << excess
    return value


def _gcd(one: int, other: int) -> int:
    while other:
        one, other = other, _remainder(one, other)
    return one
