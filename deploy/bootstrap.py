"""Make the checkout's own environment: `.venv` with exactly what a lock names, checked by hash, and the project itself.

Standard library only, since it runs before anything is installed. Packages come from wherever the user's own pip
configuration says. Then the workbench's browser files (`deploy.browser`). Runs again only when a lock or the project's
own description changes.
"""

import argparse
import hashlib
import json
import re
import subprocess
import sys
import tomllib
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
LOCKS = {
    "runtime": ROOT / "deploy" / "requirements.lock",
    "development": ROOT / "deploy" / "requirements-dev.lock",
}
BROWSER_LOCKS = [ROOT / "services" / "workbench" / "assets" / name for name in ("package-lock.json", "served.json")]
"""What `deploy.browser` installs, once Python is there."""
WHAT_TO_DO = """
What to do:
  * no network, or a proxy:   set HTTPS_PROXY=http://proxy:port, then run the same command again
  * an index of your own:     set PIP_INDEX_URL, or index-url in pip's configuration, to where packages are to come from
  * a certificate of your own: set PIP_CERT to its file
  * no wheel for this machine: use Python 3.11, 3.12 or 3.13 on Linux (glibc) or macOS: make PYTHON=python3.12 ...
"""


class Failed(Exception):
    """A step did not work; the message is for a person."""


def main() -> None:
    """Bring `.venv` up to date, or say why not."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=LOCKS, help="what the environment is for")
    kind: str = parser.parse_args().kind
    if any(_is_current(each) for each in {kind, "development"}):
        return
    try:
        _make_venv()
        _install(LOCKS[kind])
        _install_project()
        _install_browser_files(kind)
    except Failed as failed:
        sys.exit(f"\n{failed}")
    except KeyboardInterrupt:
        sys.exit("\nstopped; the same command goes on from here")
    _stamp(kind).write_text(_digest(kind))
    _say("the environment is ready")


def _say(line: str) -> None:
    print(f"[set-up] {line}", flush=True)


def _stamp(kind: str) -> Path:
    return VENV / f"installed-{kind}"


def _is_current(kind: str) -> bool:
    return PYTHON.exists() and _stamp(kind).exists() and _stamp(kind).read_text() == _digest(kind)


def _digest(kind: str) -> str:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    described = json.dumps(project, sort_keys=True).encode()
    locks = b"".join(path.read_bytes() for path in (LOCKS[kind], *BROWSER_LOCKS))
    return hashlib.sha256(locks + described + str(ROOT).encode()).hexdigest()


def _make_venv() -> None:
    usable = "import sys, pip; sys.exit(sys.version_info < (3, 11))"
    if PYTHON.exists() and subprocess.run([PYTHON, "-c", usable], check=False, capture_output=True).returncode == 0:
        return
    _say(f"making .venv with Python {sys.version.split()[0]}")
    try:
        venv.create(VENV, clear=True, with_pip=True, symlinks=True)
    except subprocess.CalledProcessError as error:
        raise Failed(
            f"{sys.executable} cannot make virtual environments: it comes without pip (ensurepip). Install your "
            "system's package for it (Debian and Ubuntu: apt install python3-venv), or name another Python: "
            "make PYTHON=/path/to/python3 ..."
        ) from error


def _install(lock: Path) -> None:
    names = re.findall(r"^([A-Za-z0-9._-]+)==", lock.read_text(), re.MULTILINE)
    _say(f"installing up to {len(names)} packages from {lock.relative_to(ROOT)}, each checked by its hash")
    _pip("--require-hashes", "--no-deps", "-r", str(lock))


def _install_project() -> None:
    _say("installing makegood itself, from this checkout")
    _pip("--no-deps", "--no-build-isolation", "-e", str(ROOT))


def _install_browser_files(kind: str) -> None:
    done = subprocess.run([PYTHON, "-m", "deploy.browser", kind], cwd=ROOT, check=False)
    if done.returncode != 0:
        sys.exit(done.returncode)  # it has said why


def _pip(*what: str) -> None:
    """Run pip, showing which package it is at; when it fails, say which one that was."""
    argv = [str(PYTHON), "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--progress-bar=off", *what]
    lines: list[str] = []
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as pip:
        assert pip.stdout is not None
        for line in pip.stdout:
            lines.append(line.rstrip())
            if line.startswith(("Collecting ", "Installing ", "Building ")):
                _show(line.split(" from ")[0].split(" --hash")[0].strip())
    _show("")
    log = VENV / "set-up.log"
    log.write_text("\n".join(lines) + "\n")
    if pip.returncode != 0:
        raise Failed(_explain(lines, log))


def _show(what: str) -> None:
    """Show a line that the next one replaces; nothing where the output is no terminal."""
    if sys.stdout.isatty():
        print(f"\r\033[K         {what:.100}", end="", flush=True)


def _explain(lines: list[str], log: Path) -> str:
    errors = [line for line in lines if line.startswith("ERROR")] or lines[-3:]
    named = re.findall(r"[A-Za-z0-9._-]+==[^\s(;]+", "\n".join(errors))
    at = [line.split(" ")[1] for line in lines if line.startswith("Collecting ")]
    package = (named or at[-1:] or ["a package"])[0]
    reasons = "\n".join(f"  {line}" for line in errors[-4:])
    return f"{package} could not be installed:\n{reasons}\n{WHAT_TO_DO}\nThe whole report is in {log}."


if __name__ == "__main__":
    main()
