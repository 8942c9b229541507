"""Asks a scanner whether a file may be kept: a command that reads it, or a service it is sent to. Without an answer nothing is."""

import asyncio
import shlex
from typing import Final

import httpx2

UNSCANNED: Final = "none"
"""The setting by which somebody says that files are kept unscanned."""
_CLEAN, _FOUND = 0, 1
_REFUSED: Final = 422


class FoundInFileError(Exception):
    """The scanner found something in the file; it was not kept."""


class ScannerUnavailableError(Exception):
    """The scanner gave no answer, so the file was not kept; send it again later."""


class NoScannerError(ScannerUnavailableError):
    """No scanner is set, so no file is kept: name one in MAKEGOOD_ATTACHMENT_SCANNER; `none` keeps files unscanned."""


async def scan(scanner: str | None, content: bytes, seconds: float) -> None:
    """Return where the scanner found nothing; raise `FoundInFileError` or `ScannerUnavailableError` otherwise.

    A command reads the file from its input and ends with 0 (nothing found) or 1 (something), as `clamdscan -` does; a URL gets it by
    POST and answers 2xx or 422.
    """
    if scanner == UNSCANNED:
        return
    if scanner is None:
        raise NoScannerError(NoScannerError.__doc__)
    try:
        async with asyncio.timeout(seconds):
            asked = _post(scanner, content) if scanner.startswith(("http://", "https://")) else _run(scanner, content)
            found = await asked
    except (OSError, ValueError, TimeoutError, httpx2.HTTPError) as error:
        raise ScannerUnavailableError(ScannerUnavailableError.__doc__) from error
    if found:
        raise FoundInFileError(FoundInFileError.__doc__)


async def _run(command: str, content: bytes) -> bool:
    nowhere = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(*shlex.split(command), stdin=asyncio.subprocess.PIPE, stdout=nowhere, stderr=nowhere)
    try:
        await process.communicate(content)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode not in {_CLEAN, _FOUND}:
        message = f"the scanner ended with {process.returncode}"
        raise OSError(message)
    return process.returncode == _FOUND


async def _post(url: str, content: bytes) -> bool:
    async with httpx2.AsyncClient(follow_redirects=False, timeout=None, trust_env=False) as client:
        answer = await client.post(url, content=content, headers={"content-type": "application/octet-stream"})
    if not answer.is_success and answer.status_code != _REFUSED:
        message = f"the scanner answered {answer.status_code}"
        raise OSError(message)
    return answer.status_code == _REFUSED
