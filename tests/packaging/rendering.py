# SPDX-License-Identifier: Apache-2.0
"""What authselect(8) does with a profile: the template language of authselect-profiles(5), as far as ours and those in
tests/data/authselect use it."""
import re


def holds(condition, features):
    terms = re.findall(r'(not\s+)?"([^"]+)"', condition)
    assert terms and " or " not in condition, condition
    return all((name in features) != bool(inverted) for inverted, name in terms)


def render(text, features):
    lines = []
    for line in text.splitlines():
        line = re.sub(r'\{if ((?:not )?"[^"]+"):([^|{}]*)(?:\|([^{}]*))?\}',
                      lambda found: found[2] if holds(found[1], features) else found[3] or "", line)
        whole = re.search(r"\{(include|exclude) if ([^}]*)\}", line)
        if whole and holds(whole[2], features) != (whole[1] == "include"):
            continue
        line = re.sub(r"\{(include|exclude) if [^}]*\}", "", line)
        assert "{" not in line, f"not understood: {line}"
        lines.append(line.rstrip())
    return "\n".join(lines) + "\n"


def features_of(text):
    """Each feature that a template names."""
    return set(re.findall(r'"((?:with|without)-[a-z0-9-]+)"', text))
