"""Azure's documents and Terraform's states: lay one at paths of the other. Pure."""

from engine_parity import find


def put_at(document, path, value):
    """Lay a value at a dotted path; None takes away what is there."""
    *way, last = path.split(".")
    for part, following in zip(way, [*way, last][1:], strict=True):
        if isinstance(document, list):
            if len(document) <= int(part):
                if value is None:
                    return
                document.append({})
            document = document[int(part)]
            continue
        if document.get(part) is None:
            if value is None:
                return
            document[part] = [] if following.isdigit() else {}
        document = document[part]
    if value is None:
        document.pop(last, None)
    else:
        document[last] = value


def blank(block):
    """An object of the schema that says nothing."""
    return {
        **dict.fromkeys(block.get("attributes", {})),
        **{n: [] for n in block.get("blocks", {})},
    }


def show_at(block, state, attribute, value):
    """Lay what was read at an attribute; a block that is not there is made for a value only."""
    first, _, rest = attribute.partition(".")
    if not rest:
        state[first] = keep(state.get(first), value)
        return
    inner = block["blocks"][first]
    if not state.get(first):
        if value is None:
            return
        state[first] = [blank(inner)]
    show_at(inner, state[first][0], rest.partition(".")[2], value)


def keep(before, now):
    """What is the same to azurerm stays as it was spelled: letter case, order, nothing."""
    if now is None and before in (None, "", [], False):
        return before
    return before if canonical(before) == canonical(now) and before is not None else now


def canonical(value):
    if isinstance(value, str):
        return value.lower()
    if isinstance(value, dict):
        return {key: canonical(one) for key, one in value.items()}
    return sorted(map(canonical, value), key=str) if isinstance(value, list) else value


def write(rows, values, body):
    for attribute, path, word in rows:
        put_at(body, path, word.to(find(values, attribute)))
    return body


def show(rows, block, state, body):
    for attribute, path, word in rows:
        value = find(body, path)
        show_at(block, state, attribute, None if value is None else word.back(value))
