"""Kafka's jars: which ones (`kafka.lock`, by SHA-256), fetched once a user, checked at every start.

The lock names coordinates and digests, never an address: where they come from is the user's own Maven configuration
(jgo's settings file), Maven Central by default.
"""

import fcntl
import hashlib
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import jgo
from jgo.config import GlobalSettings
from jgo.maven import MavenContext

from deploy.errors import StackError
from deploy.local.processes import Say

LOCK = Path(__file__).with_name("kafka.lock")
# No log4j here: naming one lets its BOM pull kafka-clients back to an older release, and the broker does not start.
ENDPOINT = "org.apache.kafka:kafka_2.13:4.4.0+org.slf4j:slf4j-simple:1.7.36"
TIMEOUT = 60


class JarMissingError(StackError):
    """A jar could not be fetched."""

    def __init__(self, coordinate: str, reason: Exception) -> None:
        """Name the jar and say what can be done."""
        super().__init__(
            f"Kafka's jar {coordinate} could not be fetched: {reason!r:.300}\n"
            "Check the network. Behind a proxy set HTTPS_PROXY; with a Maven mirror of your own, name it under "
            "[repositories] in ~/.config/jgo.conf (for example `central = <its address>`). Then run the command again."
        )


class JarChangedError(StackError):
    """A jar's content is not what the lock says."""

    def __init__(self, coordinate: str) -> None:
        """Name the jar."""
        super().__init__(
            f"{coordinate} was fetched, but is not the file that kafka.lock describes; it was removed. "
            "Run the command again; if it happens again, the repository serves another file: do not use it."
        )


@dataclass(frozen=True, slots=True)
class Jar:
    """One line of the lock."""

    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def coordinate(self) -> str:
        """The Maven name of the jar."""
        return f"{self.group}:{self.artifact}:{self.version}"

    def path(self, cache: Path) -> Path:
        """Where the jar lies in a cache, as in every Maven repository."""
        folder = cache.joinpath(*self.group.split("."), self.artifact, self.version)
        return folder / f"{self.artifact}-{self.version}.jar"


def locked() -> list[Jar]:
    """Read the lock."""
    lines = (line for line in LOCK.read_text().splitlines() if line and not line.startswith("#"))
    return [Jar(*line.replace(" ", ":").split(":")) for line in lines]


def cache_folder() -> Path:
    """Where this user's jars are kept, shared by all checkouts."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "makegood" / "jars"


def classpath(say: Say = lambda _: None) -> str:
    """Return Kafka's class path, every jar of it present and checked."""
    cache = cache_folder()
    jars = locked()
    with _alone(cache), ThreadPoolExecutor(8) as pool:
        sound = pool.map(lambda jar: _sound(jar, cache), jars)
        missing = [jar for jar, there in zip(jars, sound, strict=True) if not there]
        if missing:
            say(f"fetching Kafka: {len(missing)} jars into {cache}")
            list(pool.map(lambda jar: _fetch(jar, cache), missing))
    return os.pathsep.join(str(jar.path(cache)) for jar in jars)


@contextmanager
def _alone(cache: Path) -> Iterator[None]:
    """Keep a second checkout waiting while this one fills the cache."""
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _fetch(jar: Jar, cache: Path) -> None:
    context = MavenContext(repo_cache=cache, remote_repos=GlobalSettings.load().repositories or None, timeout=TIMEOUT)
    try:
        context.project(jar.group, jar.artifact).at_version(jar.version).artifact().resolve()
    except Exception as error:  # jgo raises RuntimeError and whatever its HTTP client raises
        raise JarMissingError(jar.coordinate, error) from error
    if not _sound(jar, cache):
        raise JarChangedError(jar.coordinate)


def _sound(jar: Jar, cache: Path) -> bool:
    """Say whether the cache holds what the lock says; what an interrupted fetch left behind is removed."""
    path = jar.path(cache)
    if not path.exists():
        return False
    if digest(path) == jar.sha256:
        return True
    path.unlink()
    return False


def digest(path: Path) -> str:
    """Return a file's SHA-256 in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_lock() -> None:
    """Resolve Kafka anew and write the lock; a person reads the difference before it is committed."""
    resolved = jgo.build(ENDPOINT, update=True).lockfile
    assert resolved is not None
    lines = [f"{each.groupId}:{each.artifactId}:{each.version} {each.sha256}" for each in resolved.dependencies]
    LOCK.write_text("\n".join(["# Kafka's jars; written by `make lock`.", *sorted(lines)]) + "\n")


if __name__ == "__main__":
    write_lock()
    sys.stdout.write(f"wrote {LOCK}: {len(locked())} jars\n")
