"""Into how many SMS a text is cut."""

from __future__ import annotations

import pytest

from rmq.topics.sms.parts import Parts, parts_of

CUT = [
    ("hello", "GSM-7", 1),
    ("", "GSM-7", 1),
    ("a" * 160, "GSM-7", 1),
    ("a" * 161, "GSM-7", 2),
    ("a" * 306, "GSM-7", 2),
    ("a" * 307, "GSM-7", 3),
    ("ß" * 160, "GSM-7", 1),
    ("@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ ¤¡ÄÖÑÜ§¿äöñüà", "GSM-7", 1),
    ("€" * 80, "GSM-7", 1),
    ("€" * 81, "GSM-7", 2),
    ("^{}\\[~]|€\f", "GSM-7", 1),
    ("ç", "UCS-2", 1),
    ("`", "UCS-2", 1),
    ("☃" * 70, "UCS-2", 1),
    ("☃" * 71, "UCS-2", 2),
    ("☃" * 134, "UCS-2", 2),
    ("☃" * 135, "UCS-2", 3),
    ("😀" * 35, "UCS-2", 1),
    ("😀" * 36, "UCS-2", 2),
    ("a" * 1600, "GSM-7", 11),
    ("☃" * 1600, "UCS-2", 24),
]


@pytest.mark.parametrize(("text", "encoding", "count"), CUT)
def test_a_text_takes_so_many_sms(text, encoding, count):
    assert parts_of(text) == Parts(encoding, count)


def test_an_escaped_character_is_not_cut_in_two():
    """152 places, then one that needs two where one is left: it goes to the next part."""
    assert parts_of("a" * 152 + "€" + "a" * 151).count == 2
    assert parts_of("a" * 152 + "€" + "a" * 152).count == 3
    assert parts_of("a" * 151 + "€" + "a" * 153).count == 2


def test_an_emoji_is_not_cut_in_two():
    assert parts_of("☃" * 66 + "😀" + "☃" * 65).count == 2
    assert parts_of("☃" * 66 + "😀" + "☃" * 66).count == 3
