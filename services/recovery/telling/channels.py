"""Channels that `apprise` brings: chats, pagers, telephones. Their URLs hold secrets: they lie in settings, and no error quotes one."""

import logging
from typing import Final

from services.recovery.telling.mail import RefusedForGoodError

TIMEOUT_SECONDS: Final = 20.0


def send(name: str, url: str, subject: str, text: str) -> None:
    """Tell a channel by its apprise URL; blocks. Raises `RefusedForGoodError`, or `ConnectionError` of what may pass.

    What was told once may come twice after a crash: few of these services know an id by which they could tell.
    """
    import apprise  # noqa: PLC0415 - 14 MB that only a process pays for which tells a channel

    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)  # it quotes URLs that it cannot read
    channel = apprise.Apprise(asset=apprise.AppriseAsset(app_id="Makegood", app_desc="Makegood", secure_logging=True))
    if not channel.add(url):
        message = f"what MAKEGOOD_CHANNELS says of {name} is no URL of apprise"
        raise RefusedForGoodError(message)
    if not channel.notify(body=text, title=subject, timeout=TIMEOUT_SECONDS):
        message = f"the channel {name} did not take it"
        raise ConnectionError(message)
