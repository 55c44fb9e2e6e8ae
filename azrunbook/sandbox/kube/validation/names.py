"""Names: the forms that the API knows, and what it says about others."""

import re

LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
LABEL_1035 = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
QUALIFIED = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
LABEL_VALUE = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")
CONFIG_KEY = re.compile(r"[-._a-zA-Z0-9]+")
ENVIRONMENT = re.compile(r"[ -<>-~]+")
LABEL_BYTES, SUBDOMAIN_BYTES = 63, 253

LABEL_MESSAGE = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and "
    "must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used "
    "for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
LABEL_1035_MESSAGE = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an "
    "alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', "
    "regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"
)
SUBDOMAIN_MESSAGE = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or "
    "'.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used "
    "for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
WILDCARD_MESSAGE = (
    "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which "
    "must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric "
    "character (e.g. '*.example.com', regex used for validation is "
    "'\\*\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
QUALIFIED_MESSAGE = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end "
    "with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for "
    "validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
QUALIFIED_FORM_MESSAGE = (
    "a qualified name must consist of alphanumeric characters, '-', '_' or '.', and must start "
    "and end with an alphanumeric character with an optional DNS subdomain prefix and '/' (e.g. "
    "'example.com/MyName')"
)
ENVIRONMENT_MESSAGE = (
    "a valid environment variable name must consist only of printable ASCII characters other "
    "than '='"
)
LABEL_VALUE_MESSAGE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or "
    "'.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  "
    "or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
CONFIG_KEY_MESSAGE = (
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. "
    "'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
)
PORT_NAME_MESSAGES = (
    (re.compile(r".{16,}"), "must be no more than 15 characters"),
    (
        re.compile(r".*[^-a-z0-9].*"),
        "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)",
    ),
    (re.compile(r"[^a-z]*"), "must contain at least one letter (a-z)"),
    (re.compile(r".*--.*"), "must not contain consecutive hyphens"),
    (re.compile(r"-.*|.*-"), "must not begin or end with a hyphen"),
)


def too_long(limit: int) -> str:
    return f"must be no more than {limit} bytes"


def _check(value: str, pattern: re.Pattern[str], message: str, limit: int) -> list[str]:
    found = [too_long(limit)] if len(value.encode()) > limit else []
    return found if pattern.fullmatch(value) else [*found, message]


def label(value: str) -> list[str]:
    """What is wrong with a DNS-1123 label."""
    return _check(value, LABEL, LABEL_MESSAGE, LABEL_BYTES)


def label_1035(value: str) -> list[str]:
    """What is wrong with a DNS-1035 label: the name of a service."""
    return _check(value, LABEL_1035, LABEL_1035_MESSAGE, LABEL_BYTES)


def subdomain(value: str) -> list[str]:
    """What is wrong with a DNS-1123 subdomain: the name of most objects."""
    return _check(value, SUBDOMAIN, SUBDOMAIN_MESSAGE, SUBDOMAIN_BYTES)


def wildcard(value: str) -> list[str]:
    """What is wrong with a host that begins with `*.`."""
    is_good = value.startswith("*.") and SUBDOMAIN.fullmatch(value[2:])
    return [] if is_good else [WILDCARD_MESSAGE]


def path_segment(value: str) -> list[str]:
    """What is wrong with a name that only has to fit into a path: of roles and bindings."""
    if value in (".", ".."):
        return [f"may not be '{value}'"]
    return [f"may not contain '{part}'" for part in ("/", "%") if part in value]


def qualified(value: str) -> list[str]:
    """What is wrong with the key of a label or annotation."""
    prefix, slash, name = value.rpartition("/")
    found = []
    if slash:
        if not prefix:
            found.append("prefix part must be non-empty")
        else:
            found += [f"prefix part {text}" for text in subdomain(prefix)]
    if "/" in prefix:
        return [QUALIFIED_FORM_MESSAGE]
    if not name:
        found.append("name part must be non-empty")
    elif len(name) > LABEL_BYTES:
        found.append(f"name part {too_long(LABEL_BYTES)}")
    if not QUALIFIED.fullmatch(name):
        found.append(QUALIFIED_MESSAGE)
    return found


def label_value(value: str) -> list[str]:
    """What is wrong with the value of a label."""
    return _check(value, LABEL_VALUE, LABEL_VALUE_MESSAGE, LABEL_BYTES)


def config_key(value: str) -> list[str]:
    """What is wrong with a key of a ConfigMap or Secret."""
    if value in (".", ".."):
        return [f"must not be '{value}'"]
    return _check(value, CONFIG_KEY, CONFIG_KEY_MESSAGE, SUBDOMAIN_BYTES)


def port_name(value: str) -> list[str]:
    """What is wrong with the name of a port (IANA service name)."""
    return [message for pattern, message in PORT_NAME_MESSAGES if pattern.fullmatch(value)]


def environment(value: str) -> list[str]:
    """What is wrong with the name of an environment variable."""
    if ENVIRONMENT.fullmatch(value):
        return []
    return [ENVIRONMENT_MESSAGE]
