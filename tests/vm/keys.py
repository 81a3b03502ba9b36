# SPDX-License-Identifier: Apache-2.0
"""Which keys of a US keyboard make a character (names: QEMU's QKeyCode)."""
from __future__ import annotations

_PLAIN = {" ": "spc", "\n": "ret", "\t": "tab", "-": "minus", "=": "equal", "[": "bracket_left", "]": "bracket_right",
          "\\": "backslash", ";": "semicolon", "'": "apostrophe", "`": "grave_accent", ",": "comma", ".": "dot",
          "/": "slash"}
_SHIFTED = dict(zip("!@#$%^&*()_+{}|:\"~<>?", ["1", "2", "3", "4", "5", "6", "7", "8", "9", "0", "minus", "equal",
                                              "bracket_left", "bracket_right", "backslash", "semicolon", "apostrophe",
                                              "grave_accent", "comma", "dot", "slash"]))


def keys_for(character: str) -> list[str]:
    """The keys to hold together; raises KeyError for what a US keyboard cannot type."""
    if character.isascii() and character.isalnum():
        return ["shift", character.lower()] if character.isupper() else [character]
    if character in _SHIFTED:
        return ["shift", _SHIFTED[character]]
    return [_PLAIN[character]]
