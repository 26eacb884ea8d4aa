"""Keeping the archive token out of everything that is written down.

The ONC API wants the token in the query string, so it is in every URL and in the text of every library error.
Two defences, both needed (measured on Prefect 3.8.8: each alone leaks): errors are built from clean parts at
the ports, and `RedactingFilter` cleans every log record, tracebacks included, before a handler sees it. It also
spells out control characters: names in listings and lists of files are whatever somebody wrote there.
"""

from __future__ import annotations

import functools
import logging
import os
import re
import traceback
from urllib.parse import quote, unquote

from onc_mirror.logs import fields_of
from onc_mirror.wording import printable

MASK = "***"

_QUERY_TOKEN = re.compile(r"(?i)\b(token|signature|x-amz-signature|awssecretkey)(=|%3d)[^&\s\"'<>)]+")
# How httpx names what it asked, as when a receiver of alerts refuses one. The Prefect server has its address from a
# block and not from a variable, and such an address is a secret from its path on.
_HTTPX_URL = re.compile(r"(for url '\w+://)(?:[^/'@]*@)?([^/'?#]*)[^']*'")
# Of those of S3, which are no settings of ours; boto reads them.
_VARIABLES_OF_S3 = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
# Of a ledger's URL messages name host and database, and only the password is secret.
_LEDGER_URL = re.compile(r"\s*(sqlite|postgres)")
# Who knows an address can write to it: Slack's and its like are made of secrets.
_ADDRESS_WORD = re.compile(r"[^\s/?&=,;:@#]+")
_ADDRESS_PASSWORD = re.compile(r"://[^\s:/@]*:([^\s/@]+)@")
# All behind the host, however its words look.
_ADDRESS_PATH = re.compile(r"://[^\s/,]+(/[^\s,]{7,})")
_SHORTEST_WORD = 8
# Not urlsplit: it raises for some URLs that are none, and what cleans messages must take anything.
_URL_PASSWORD = re.compile(r"://[^:/@]*:(.+)@")
SHORTEST_SECRET = 6


def redact(text: str) -> str:
    """Return `text` without the values of secret query parameters, of secret settings and of the keys to S3.

    >>> redact("GET /api/archivefile/download?token=1234-abcd&filename=a.hdf5")
    'GET /api/archivefile/download?token=***&filename=a.hdf5'
    """
    for secret in _known_secrets():
        text = text.replace(secret, MASK)
    return _QUERY_TOKEN.sub(rf"\1\2{MASK}", _HTTPX_URL.sub(rf"\1\2/{MASK}'", text))


def clean(text: str) -> str:
    r"""Return `text` without secrets, and with all spelled out that could move a cursor.

    >>> print(clean("device=\x1b[2J decision=failed"))
    device=\x1b[2J decision=failed
    """
    return printable(redact(text))


def clean_lines(text: str) -> str:
    """As `clean`, of a text whose lines stay lines."""
    return printable(redact(text), keep="\n\t")


class RedactingFilter(logging.Filter):
    """Cleans message, arguments and traceback of every record, also of control characters; lets all records pass."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite `record` in place."""
        if not hasattr(record, "fields"):  # another handler's filter may have been here
            fields = fields_of(str(record.msg), record.args)
            record.fields = {
                name: clean_lines(value) if isinstance(value, str) else value for name, value in fields.items()
            }
        record.msg, record.args = clean_lines(record.getMessage()), None
        if record.exc_info:
            record.exc_text = clean_lines("".join(traceback.format_exception(*record.exc_info)).rstrip())
            record.exc_info = None
        if record.stack_info:
            record.stack_info = clean_lines(record.stack_info)
        return True


def _known_secrets() -> list[str]:
    from onc_mirror.settings.secrets import known_values  # noqa: PLC0415 - who only asks for help waits for no settings

    values = [os.environ.get(name, "").strip() for name in _VARIABLES_OF_S3]
    for value in known_values():
        values += _secrets_of(value)
    return [value for value in values if len(value) >= SHORTEST_SECRET]


@functools.lru_cache
def _secrets_of(value: str) -> tuple[str, ...]:
    """What is secret in a setting: the whole, the password of a ledger's URL, or parts of addresses."""
    if "://" not in value:
        return (value.strip(),)
    passwords = tuple(_URL_PASSWORD.findall(value))
    return passwords if _LEDGER_URL.match(value) else (*passwords, *_secrets_of_addresses(value))


def _secrets_of_addresses(addresses: str) -> tuple[str, ...]:
    """What may be secret in addresses: passwords, words that look made up as `T1JJ3T3L2` does, in any spelling."""
    words = [word for word in _ADDRESS_WORD.findall(addresses) if _looks_made_up(word)]
    found = {*words, *_ADDRESS_PASSWORD.findall(addresses), *_ADDRESS_PATH.findall(addresses)}
    spelled = found | {unquote(word) for word in found} | {quote(word, safe="") for word in found}
    return tuple(sorted(spelled, key=len, reverse=True))


def _looks_made_up(word: str) -> bool:
    has_digit = any(sign.isdecimal() for sign in word)
    mixed = word not in {word.lower(), word.upper(), word.capitalize()}
    return len(word) >= _SHORTEST_WORD and "." not in word and (has_digit or mixed)
