"""Names that controllers make up: hashes and suffixes in the name-safe alphabet.

Law: pure. The alphabet has no vowels and no 0, 1, 3 (k8s.io/apimachinery util/rand), so that no
word is formed by accident. The hash is of canonical JSON where the real one hashes a Go dump of
the struct: the values differ, the form (name-safe, stable, of the template alone) is the same.
"""

import json
from typing import Any

ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
_FNV_OFFSET, _FNV_PRIME, _WORD = 0x811C9DC5, 0x01000193, 0xFFFFFFFF


def fnv1a(data: bytes) -> int:
    """The 32-bit FNV-1a hash."""
    value = _FNV_OFFSET
    for byte in data:
        value = ((value ^ byte) * _FNV_PRIME) & _WORD
    return value


def encode_safely(text: str) -> str:
    """Each character by its code into the safe alphabet (rand.SafeEncodeString)."""
    return "".join(ALPHABET[ord(character) % len(ALPHABET)] for character in text)


def hash_object(value: Any, collision_count: int | None = None) -> str:
    """The name-safe hash of a pod template (pod-template-hash, controller-revision-hash)."""
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"))
    if collision_count is not None:
        canonical += f"#{collision_count}"
    return encode_safely(str(fnv1a(canonical.encode())))
