"""A Terraform provider that knows a schema and no cloud: run by terraform as a plugin.

Real providers come from a registry that a machine may not reach. This one speaks the same plugin
protocol (version 6, https://developer.hashicorp.com/terraform/plugin/terraform-plugin-protocol)
with the schema of the real one, so that terraform itself judges every argument, evaluates every
expression and runs the mocked tests. It fills in what a provider computes: ids as azurerm spells
them (:mod:`stand_in_ids`), the rest unknown in a plan and invented in an apply. What Azure would
refuse it does not refuse.

Run as: stand_in.py SCHEMA.json
"""

import json
import os
import sys
import tempfile
import threading
from concurrent import futures
from pathlib import Path

import grpc
import msgpack
import stand_in_ids

SCHEMA = json.loads(Path(sys.argv[1]).read_text())
UNKNOWN = msgpack.ExtType(0, b"\x00")
NESTINGS = {"list": 2, "set": 3}
FLAGS = {4: "required", 5: "optional", 6: "computed", 7: "sensitive", 11: "write_only"}


def write_varint(number):
    out = b""
    while number > 0x7F:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


def write_number(field, number):
    return write_varint(field << 3) + write_varint(number) if number else b""


def write_bytes(field, value):
    raw = value.encode() if isinstance(value, str) else value
    return write_varint(field << 3 | 2) + write_varint(len(raw)) + raw


def read_varint(raw, place):
    number = shift = 0
    while True:
        byte = raw[place]
        place += 1
        number |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            return number, place


def read_message(raw):
    """The last value of each field of a protobuf message; numbers and byte strings only."""
    place, fields = 0, {}
    while place < len(raw):
        key, place = read_varint(raw, place)
        number, place = read_varint(raw, place)
        if key & 7 == 0:
            fields[key >> 3] = number
        else:
            fields[key >> 3], place = raw[place : place + number], place + number
    return fields


def read_value(message, field):
    packed = read_message(message.get(field, b"")).get(1)
    return msgpack.unpackb(packed) if packed else None


def write_value(field, value):
    return write_bytes(field, write_bytes(1, msgpack.packb(value)))


def describe_block(block):
    out = b""
    for name, attribute in block.get("attributes", {}).items():
        flags = b"".join(write_number(no, bool(attribute.get(f))) for no, f in FLAGS.items())
        typed = write_bytes(2, json.dumps(attribute["type"]))
        out += write_bytes(2, write_bytes(1, name) + typed + flags)
    for name, inner in block.get("blocks", {}).items():
        bounds = write_number(4, inner.get("min") or 0) + write_number(5, inner.get("max") or 0)
        nesting = write_number(3, NESTINGS[inner["nesting"]])
        body = write_bytes(2, describe_block(inner))
        out += write_bytes(3, write_bytes(1, name) + body + nesting + bounds)
    return out


def get_schema(_):
    out = write_bytes(1, write_bytes(2, describe_block(SCHEMA["provider"])))
    for field, kind in ((2, "resources"), (3, "data_sources")):
        for name, block in SCHEMA[kind].items():
            schema = write_bytes(2, write_bytes(2, describe_block(block)))
            out += write_bytes(field, write_bytes(1, name) + schema)
    return out


def foresee(block, value, prior):
    """What is computed and not given stays as it was, or becomes unknown."""
    out = dict(value)
    for name, attribute in block.get("attributes", {}).items():
        if attribute.get("write_only"):
            out[name] = None
        elif attribute.get("computed") and out.get(name) is None:
            known = (prior or {}).get(name)
            out[name] = UNKNOWN if known is None else known
    for name, inner in block.get("blocks", {}).items():
        before = (prior or {}).get(name) or []
        items = out.get(name) or []
        pairs = [(one, before[at] if at < len(before) else None) for at, one in enumerate(items)]
        out[name] = [foresee(inner, *pair) for pair in pairs]
    return out


def invent(block, value):
    """Something of the right type where an apply has to know."""
    plain = {"string": "invented", "number": 1, "bool": False}
    out = dict(value)
    for name, attribute in block.get("attributes", {}).items():
        if isinstance(out.get(name), msgpack.ExtType):
            kind = attribute["type"]
            out[name] = plain[kind] if isinstance(kind, str) else {} if kind[0] == "map" else []
    for name, inner in block.get("blocks", {}).items():
        out[name] = [invent(inner, one) for one in out.get(name) or []]
    return out


def plan(request):
    message = read_message(request)
    kind, wanted = message[1].decode(), read_value(message, 3)
    if wanted is None:
        return write_value(1, None)
    planned = foresee(SCHEMA["resources"][kind], wanted, read_value(message, 2))
    planned["id"] = stand_in_ids.find(kind, planned) or planned["id"]
    return write_value(1, planned) + write_number(5, 1)


def apply(request):
    message = read_message(request)
    planned = read_value(message, 3)
    known = planned and invent(SCHEMA["resources"][message[1].decode()], planned)
    return write_value(1, known) + write_number(4, 1)


def read(request):
    return write_bytes(1, read_message(request)[2])


def upgrade(request):
    state = read_message(read_message(request)[3])[1]
    return write_value(1, json.loads(state))


def read_data(request):
    message = read_message(request)
    block = SCHEMA["data_sources"][message[1].decode()]
    found = invent(block, foresee(block, read_value(message, 2), None))
    return write_value(1, {**found, "subscription_id": os.environ["ARM_SUBSCRIPTION_ID"]})


def agree(_):
    return b""


def shut_down(_):
    threading.Timer(0.05, os._exit, (0,)).start()
    return b""


SERVICES = {
    "tfplugin6.Provider": {
        "GetProviderSchema": get_schema,
        "ValidateProviderConfig": agree,
        "ValidateResourceConfig": agree,
        "ValidateDataResourceConfig": agree,
        "ConfigureProvider": agree,
        "UpgradeResourceState": upgrade,
        "ReadResource": read,
        "PlanResourceChange": plan,
        "ApplyResourceChange": apply,
        "ReadDataSource": read_data,
        "StopProvider": agree,
    },
    "plugin.GRPCController": {"Shutdown": shut_down},
}


def handle(function):
    return grpc.unary_unary_rpc_method_handler(lambda request, _: function(request))


def main():
    server = grpc.server(futures.ThreadPoolExecutor(8))
    for name, methods in SERVICES.items():
        handlers = {method: handle(function) for method, function in methods.items()}
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(name, handlers),))
    with tempfile.TemporaryDirectory() as folder:
        server.add_insecure_port(f"unix:{folder}/socket")
        server.start()
        # The handshake of HashiCorp's plugins: their protocol, Terraform's, where, and how.
        sys.stdout.write(f"1|6|unix|{folder}/socket|grpc|\n")
        sys.stdout.flush()
        server.wait_for_termination()


if __name__ == "__main__":
    main()
