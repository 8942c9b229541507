"""E-mail by SMTP. The same mail sent again has the same Message-ID, by which servers and readers know it."""

import smtplib
import ssl
from email.message import EmailMessage
from typing import Final
from urllib.parse import unquote, urlsplit

TIMEOUT_SECONDS: Final = 20.0
PERMANENT: Final = 500
"""From this code on the server will not take it, however often it is sent (RFC 5321, 4.2.1)."""


class RefusedForGoodError(Exception):
    """The other side will never take this."""


def compose(identity: str, sender: str, to: str, parts: list[tuple[str, str]]) -> EmailMessage:
    """One mail of several texts with their subjects; the first subject is the mail's."""
    mail = EmailMessage()
    mail["Message-ID"] = f"<{identity}@makegood>"
    mail["From"], mail["To"] = sender, to
    mail["Subject"] = " ".join(parts[0][0].split())
    mail["Auto-Submitted"] = "auto-generated"
    first, *others = parts
    mail.set_content("\n\n".join([first[1], *(f"{subject}\n\n{text}" for subject, text in others)]))
    return mail


def send(server: str, mail: EmailMessage) -> None:
    """Hand a mail to the server (`smtp://` or `smtps://`); blocks. Raises `RefusedForGoodError`, or `OSError` of what may pass."""
    where = urlsplit(server)
    context = ssl.create_default_context()
    try:
        with _connected(where.scheme, where.hostname or "localhost", where.port or 0, context) as connection:
            if where.scheme == "smtp" and connection.has_extn("starttls"):
                connection.starttls(context=context)
                connection.ehlo()
            if where.username:
                connection.login(unquote(where.username), unquote(where.password or ""))
            connection.send_message(mail)
    except smtplib.SMTPRecipientsRefused as error:
        codes = [code for code, _ in error.recipients.values()]
        _raise(min(codes), error)
    except smtplib.SMTPResponseException as error:
        _raise(error.smtp_code, error)


def _connected(scheme: str, host: str, port: int, context: ssl.SSLContext) -> smtplib.SMTP:
    if scheme == "smtps":
        return smtplib.SMTP_SSL(host, port, timeout=TIMEOUT_SECONDS, context=context)
    connection = smtplib.SMTP(host, port, timeout=TIMEOUT_SECONDS)
    connection.ehlo()
    return connection


def _raise(code: int, error: Exception) -> None:
    """Tell the code alone: what servers say may quote an address."""
    message = f"the mail server said {code}"
    raise (RefusedForGoodError(message) if code >= PERMANENT else ConnectionError(message)) from error
