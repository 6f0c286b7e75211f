"""Finds what an SDK's adapter could not write of an answer, with path, type and remedy. Adapters encode answers with
`json.dumps(answer, ensure_ascii=False).encode("utf-8")`; an answer that fails there ends the worker."""
import json

MOST_DEPTH = 200
MOST_FAULTS = 5
# Of a path that is as deep as that.
MOST_SHOWN = 80
REMEDIES = {
    "floating": "float() it", "float": "float() it", "Decimal": "float() it", "Fraction": "float() it",
    "integer": "int() it", "bool_": "bool() it", "bool": "bool() it", "ndarray": "call .tolist()",
    "bytes": "leave it out, or encode it with base64", "bytearray": "leave it out, or encode it with base64",
    "memoryview": "leave it out, or encode it with base64", "date": "call .isoformat()", "time": "call .isoformat()",
    "timedelta": "call .total_seconds()", "set": "list() it", "frozenset": "list() it", "PurePath": "str() it",
    "UUID": "str() it", "Enum": "take its .value", "complex": "give its parts as two numbers",
    "generator": "list() it", "dict_keys": "list() it", "dict_values": "list() it", "dict_items": "list() it",
    "range": "list() it", "deque": "list() it", "Tensor": "call .tolist()",
}


def encoding_faults(value, path):
    """What cannot be sent of an answer, in words; none when it can be."""
    faults = []
    try:
        _walk(value, path, [], faults)
    except Exception as error:  # of a dict or list of a class of its own
        faults.append("%s cannot be read: %s" % (path, _said(error)))
    if not faults:
        try:
            json.dumps(value, ensure_ascii=False).encode("utf-8")
        except Exception as error:
            faults.append("%s cannot be written as JSON: %s" % (path, _said(error)))
    return faults[:MOST_FAULTS]


def _said(error):
    try:
        return "%s: %s" % (type(error).__name__, error)
    except Exception:
        return type(error).__name__  # its own text raises too


def _walk(value, path, above, faults):
    if len(faults) >= MOST_FAULTS:
        return
    if isinstance(value, str):
        _check_text(value, "%s is" % path, faults)
    elif value is None or isinstance(value, (bool, int, float)):
        pass
    elif isinstance(value, (dict, list, tuple)):
        if any(value is one for one in above):
            faults.append("%s contains itself" % path)
        elif len(above) >= MOST_DEPTH:
            faults.append("%s is nested more than %d deep" % (path[:MOST_SHOWN], MOST_DEPTH))
        elif isinstance(value, dict):
            for key, item in value.items():
                if _check_key(key, path, faults):
                    _walk(item, "%s.%s" % (path, key), above + [value], faults)
        else:
            for index, item in enumerate(value):
                _walk(item, "%s.%d" % (path, index), above + [value], faults)
    else:
        faults.append("%s is %s: %s" % (path, _name(value), _remedy(value)))


def _check_key(key, path, faults):
    if isinstance(key, str):
        return _check_text(key, "%s has a key that is" % path, faults)
    if key is None or isinstance(key, (bool, int, float)):
        return True
    faults.append("%s has the key %s, which is %s: str() it" % (path, ascii(key)[:60], _name(key)))
    return False


def _check_text(text, subject, faults):
    try:
        text.encode("utf-8")
        return True
    except UnicodeEncodeError:
        faults.append("%s a text that UTF-8 cannot hold, %s: it has half of a character. "
                      "Use .encode('utf-8', 'replace').decode()" % (subject, ascii(text)[:60]))
        return False


def _name(value):
    kind = type(value)
    return kind.__name__ if kind.__module__ == "builtins" else "%s.%s" % (kind.__module__, kind.__name__)


def _remedy(value):
    for kind in type(value).__mro__:
        if kind.__name__ in REMEDIES:
            return REMEDIES[kind.__name__]
    if hasattr(value, "__dataclass_fields__"):
        return "dataclasses.asdict() it"
    return "make it of numbers, strings, lists and dicts, or leave it out"
