"""Device ids for tests: as random as a new one must be, and the same for the same words."""

import hashlib


def device_of(words: str) -> str:
    return hashlib.sha256(words.encode()).hexdigest()[:32]
