"""The workbench's browser files: installed by npm from a lock with integrity hashes, then the few that are served copied out.

`python -m deploy.browser runtime | development`; the latter brings what tests need, too. Standard library only. Runs npm again
only when a lock changes. Packages come from wherever the user's own npm configuration says; no script of theirs is run.
"""

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ASSETS = ROOT / "services" / "workbench" / "assets"
SERVED = ASSETS / "served.json"
NODE_LOCK = ROOT / "deploy" / "requirements-node.lock"
DESCRIBED = ("package.json", "package-lock.json")
OLDEST_NPM = 7
"""The first that reads this form of lock."""
QUIET = ("--no-audit", "--no-fund", "--loglevel=error")
SOON = ("--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=5000")
"""npm would wait minutes before it says that there is no network."""
PIP = ("-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--quiet", "--require-hashes", "--no-deps")
WHAT_TO_DO = """
What to do:
  * no network, or a proxy:   set HTTPS_PROXY=http://proxy:port, then run the same command again
  * a registry of your own:   set npm_config_registry, or registry in npm's configuration, to where packages are to come from
  * a certificate of your own: set NODE_EXTRA_CA_CERTS to its file
"""


class Failed(Exception):
    """A step did not work; the message is for a person."""


def main() -> None:
    """Bring the browser files up to date, or say why not."""
    parser = argparse.ArgumentParser(prog="python -m deploy.browser", description=__doc__)
    parser.add_argument("kind", choices=("runtime", "development"), help="what the files are for")
    parser.add_argument("--into", type=Path, default=Path(sys.prefix) / "browser", help="the folder; what is served is below it")
    asked = parser.parse_args()
    stamp: Path = asked.into / f"installed-{asked.kind}"
    if stamp.exists() and stamp.read_text() == digest():
        return
    try:
        install(asked.into, asked.kind)
    except Failed as failed:
        sys.exit(f"\n{failed}")
    stamp.write_text(digest())


def digest() -> str:
    """Return what changes whenever anything has to be installed anew."""
    return hashlib.sha256(b"".join(path.read_bytes() for path in (*(ASSETS / name for name in DESCRIBED), SERVED))).hexdigest()


def install(into: Path, kind: str) -> None:
    """Install the packages below a folder, and copy what is served beside them."""
    into.mkdir(parents=True, exist_ok=True)
    for name in DESCRIBED:
        shutil.copy(ASSETS / name, into)
    _say("installing the browser files from services/workbench/assets/package-lock.json, each package checked by its hash")
    omit = ("--omit=dev",) if kind == "runtime" else ()
    environment = os.environ | {"PATH": _path_with_npm()}
    command = (shutil.which("npm", path=environment["PATH"]) or "npm", "ci", "--ignore-scripts", *QUIET, *SOON, *omit)
    done = subprocess.run(command, cwd=into, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Failed(_explain(done.stdout + done.stderr))
    copy_served(into)


def copy_served(into: Path) -> None:
    """Copy what is served, and refuse what is not byte for byte what was looked at when the list was written."""
    fresh = into / "served.new"
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir()
    for name, file in json.loads(SERVED.read_text()).items():
        found = into / "node_modules" / file["from"]
        if hashlib.sha256(found.read_bytes()).hexdigest() != file["sha256"]:
            raise Failed(f"{found} is not the file that {SERVED.relative_to(ROOT)} names.")
        shutil.copyfile(found, fresh / name)
    shutil.rmtree(into / "served", ignore_errors=True)
    fresh.rename(into / "served")


def _path_with_npm() -> str:
    """Return a PATH that npm is on: the machine's where it is fit, else one that is installed into this environment as a package."""
    path = os.environ.get("PATH", os.defpath)
    if _fit(path):
        return path
    own = f"{Path(sys.prefix) / 'bin'}{os.pathsep}{path}"
    if not _fit(own):
        _say("this machine has no npm: installing Node.js into .venv, from deploy/requirements-node.lock")
        done = subprocess.run((sys.executable, *PIP, "-r", str(NODE_LOCK)), capture_output=True, text=True, check=False)
        if done.returncode != 0:
            advice = f"Install it yourself (npm {OLDEST_NPM} or newer), or let pip reach it."
            raise Failed(f"Node.js could not be installed:\n{_errors(done.stderr)}\n{advice}")
    return own


def _fit(path: str) -> bool:
    """Ask npm itself: a name on PATH may be a shim without anything behind it."""
    npm = shutil.which("npm", path=path)
    if npm is None:
        return False
    done = subprocess.run((npm, "--version"), env=os.environ | {"PATH": path}, capture_output=True, text=True, check=False)
    found = re.match(r"\d+", done.stdout)
    return done.returncode == 0 and found is not None and int(found[0]) >= OLDEST_NPM


def _explain(output: str) -> str:
    return f"The browser files could not be installed:\n{_errors(output)}\n{WHAT_TO_DO}"


def _errors(output: str) -> str:
    """Return the first lines that say something: what follows is where in its own code a tool was."""
    lines = [line for line in output.splitlines() if line.strip() and not re.match(r"(npm error)? +at ", line)]
    return "\n".join(f"  {line}" for line in lines[:6])


def _say(line: str) -> None:
    print(f"[set-up] {line}", flush=True)


if __name__ == "__main__":
    main()
