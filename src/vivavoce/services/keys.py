"""API keys on disk: made here, kept as hashes, looked up by the running server.

A key is ``vv_`` + 8 characters that name it + ``_`` + 43 random ones (256 bits). Of the whole only the SHA-256 is kept: a
random key needs no slow hash. The file is readable by its owner only, and a change is seen without a restart.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
import tempfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from vivavoce.contracts.access import SCOPES, Principal, Scope
from vivavoce.contracts.errors import ConfigurationError, InvalidRequest, UnknownName

MAX_KEYS = 1_000
MAX_NAME = 100
MAX_FILE = 1_000_000
_ABSENT = (0, 0)


@dataclass(frozen=True, slots=True)
class StoredKey:
    """What is kept of a key. ``created`` is in seconds since the epoch."""

    id: str
    name: str
    scopes: tuple[Scope, ...]
    sha256: str
    created: float


def create(file: Path, name: str, scopes: Iterable[str], now: float) -> tuple[StoredKey, str]:
    """Make a key; returns what is kept and the key itself, which is told once. Raises InvalidRequest, ConfigurationError."""
    wanted = tuple(scope for scope in SCOPES if scope in set(scopes))
    unknown = set(scopes) - set(SCOPES)
    if unknown or not wanted:
        raise InvalidRequest(f"a key has scopes of {', '.join(SCOPES)}, not {', '.join(sorted(unknown)) or 'none'}")
    if not 1 <= len(name) <= MAX_NAME or not name.isprintable():
        raise InvalidRequest(f"the name of a key has 1 to {MAX_NAME} printable characters")
    kept = load(file)
    if len(kept) >= MAX_KEYS:
        raise InvalidRequest(f"there are {MAX_KEYS} keys already; revoke some")
    id = secrets.token_hex(4)
    key = f"vv_{id}_{secrets.token_urlsafe(32)}"
    stored = StoredKey(id, name, wanted, _hash(key), now)
    _save(file, [*kept, stored])
    return stored, key


def revoke(file: Path, id: str) -> StoredKey:
    """Forget a key by its id or name. Raises UnknownName, or InvalidRequest for a name that several have."""
    kept = load(file)
    found = [key for key in kept if key.id == id] or [key for key in kept if key.name == id]
    if not found:
        raise UnknownName(f"there is no key {id!r}; `vivavoce key list` names them")
    if len(found) > 1:
        raise InvalidRequest(f"several keys are called {id!r}; revoke by id: {', '.join(key.id for key in found)}")
    _save(file, [key for key in kept if key is not found[0]])
    return found[0]


def load(file: Path) -> list[StoredKey]:
    """The keys of a file, none where there is no file.

    Raises ConfigurationError for one that is broken, or that others can read.
    """
    try:
        with file.open("rb") as handle:
            if os.fstat(handle.fileno()).st_mode & 0o077 and os.name == "posix":
                raise ConfigurationError(f"{file} can be read by others; chmod 600 {file}")
            rows = json.loads(handle.read(MAX_FILE))
        return [StoredKey(**{**row, "scopes": tuple(row["scopes"])}) for row in rows["keys"]]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise ConfigurationError(f"{file}: cannot be read: {error.strerror or error}", cause=error) from error
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(f"{file} is no key file; move it away and create the keys anew", cause=error) from error


def _save(file: Path, keys: list[StoredKey]) -> None:
    """Atomically, for the owner's eyes."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=file.parent, prefix=".keys-", delete=False) as stream:
            temporary = Path(stream.name)
            try:
                json.dump({"version": 1, "keys": [asdict(key) for key in keys]}, stream, indent=1)
                stream.flush()
                os.fsync(stream.fileno())
                temporary.replace(file)  # made with mode 600
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise
    except OSError as error:
        raise ConfigurationError(f"{file}: cannot be written: {error.strerror or error}", cause=error) from error


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


class KeyFile:
    """The key ring of a running server. ``refresh`` looks whether the file has changed; call it off the loop."""

    def __init__(self, file: Path) -> None:
        """Raises ConfigurationError."""
        self._file = file
        self._keys: dict[str, StoredKey] = {}
        self._seen: tuple[int, int] | None = None
        self._configured = False
        self.refresh()

    @property
    def configured(self) -> bool:
        """Whether there is, or was, a key file. Once keys are asked for they stay asked for until a restart without one."""
        return self._configured

    def find(self, key: str) -> Principal | None:
        """Whose key this is; compares hashes in constant time."""
        parts = key.split("_", 2)
        stored = self._keys.get(parts[1]) if len(parts) == 3 and parts[0] == "vv" else None
        if stored is None or not hmac.compare_digest(stored.sha256, _hash(key)):
            return None
        return Principal(f"key:{stored.id}", frozenset(stored.scopes))

    def refresh(self) -> bool:
        """Read the file again if it has changed; tell whether it had. Raises ConfigurationError; the old keys then stay."""
        try:
            state = self._file.stat()
            seen = (state.st_mtime_ns, state.st_ino)
        except FileNotFoundError:
            seen = _ABSENT
        except OSError as error:
            raise ConfigurationError(f"{self._file}: cannot be read: {error.strerror or error}", cause=error) from error
        if seen == self._seen:
            return False
        self._keys = {key.id: key for key in load(self._file)}
        self._seen = seen
        self._configured = self._configured or seen != _ABSENT
        return True
