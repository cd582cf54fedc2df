"""The metrics and labels that a PromQL expression names. Not a parser: Prometheus itself judges the syntax."""

import re

_STRING = re.compile(r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'')
_COMMENT = re.compile(r"^\s*#.*$", re.MULTILINE)
_GROUPING = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)")
_SELECTOR = re.compile(r"([a-zA-Z_:][\w:]*)?\s*\{([^{}]*)\}")
_MATCHER = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)\s*(\d+)")
_NAME = re.compile(r"(?<![\w:$.])([a-zA-Z_:][\w:]*)\b(?!\s*\()")
_RANGE = re.compile(r"\[[^\]]*\]")
_WORDS = {"and", "or", "unless", "bool", "offset", "by", "without", "on", "ignoring", "group_left", "group_right",
          "inf", "nan", "start", "end"}


class Named:
    """`selectors`: [(metric, {label: matched text})]; `labels`: what on, by, without ... name."""

    def __init__(self, expression):
        strings = []

        def keep(match):
            strings.append(match.group()[1:-1])
            return f" {len(strings) - 1} "

        text = _STRING.sub(keep, _COMMENT.sub("", expression))
        self.labels = set()
        for names in _GROUPING.findall(text):
            self.labels |= {name.strip() for name in names.split(",") if name.strip()}
        text = _GROUPING.sub(" ", text)
        self.selectors = []
        for name, matchers in _SELECTOR.findall(text):
            matched = {label: strings[int(index)] for label, index in _MATCHER.findall(matchers)}
            self.selectors.append((matched.pop("__name__", name), matched))
        text = _RANGE.sub(" ", _SELECTOR.sub(" ", text))
        self.selectors += [(name, {}) for name in _NAME.findall(text) if name.lower() not in _WORDS]


def problems(expression, known):
    """What the expression names and `known`, {metric: label names}, does not have; `job` and `instance` always are."""
    named, found = Named(expression), []
    every = {"job", "instance"}.union(*known.values())
    for metric, matched in named.selectors:
        if metric not in known:
            found.append(f"there is no metric {metric}")
            continue
        found += [f"{metric} has no label {label}" for label in set(matched) - known[metric] - {"job", "instance"}]
    return found + [f"no metric has a label {label}" for label in named.labels - every]
