"""Phone number: in E.164, a plus sign and up to 15 digits."""

from __future__ import annotations

import re

from rmq.errors import InvalidParameter

_PUNCTUATION = re.compile(r"[ ()./-]")
_NUMBER = re.compile(r"\+?([1-9][0-9]{5,14})")


def phone_number(field: str, given: str) -> str:
    """A number as it is kept: `+4930123456`. Blanks and punctuation may be in it, the plus sign may
    be missing. Raises InvalidParameter.
    """
    found = _NUMBER.fullmatch(_PUNCTUATION.sub("", given)) if isinstance(given, str) else None
    if found is None:
        raise InvalidParameter(field, given, "a phone number in E.164: +15550100123")
    return f"+{found[1]}"
