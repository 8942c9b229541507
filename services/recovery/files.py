"""What a file is, by its own bytes: what a client says of it, and what it is called, is not believed."""

from typing import Final, Literal

MediaType = Literal["image/png", "image/jpeg", "image/gif", "image/webp", "application/pdf", "text/plain"]
_BEGINNINGS: Final[tuple[tuple[bytes, MediaType], ...]] = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"%PDF-", "application/pdf"),
)
_CONTROL: Final = frozenset(range(32)) - set(b"\t\n\r\f") | {127}


def media_type(content: bytes) -> MediaType | None:
    """What the bytes are; None where they are nothing that is known here."""
    for beginning, found in _BEGINNINGS:
        if content.startswith(beginning):
            return found
    if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
        return "image/webp"
    return "text/plain" if content and _is_text(content) else None


def _is_text(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return _CONTROL.isdisjoint(content)
