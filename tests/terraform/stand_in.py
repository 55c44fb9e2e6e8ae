"""A Terraform provider that knows a schema and no cloud: run by terraform as a plugin.

Real providers come from a registry that a machine may not reach. This one speaks the same plugin
protocol (version 6, https://developer.hashicorp.com/terraform/plugin/terraform-plugin-protocol)
with the schema of the real one, so that terraform itself judges every argument, evaluates every
expression and runs the mocked tests. It fills in what a provider computes: ids as azurerm spells
them (:mod:`stand_in_ids`), the rest unknown in a plan and invented in an apply. What Azure would
refuse it does not refuse.

Where a cloud is named to it (``ARM_METADATA_HOSTNAME``), the one for azurerm asks that cloud
instead: see :mod:`stand_in_arm` for what that proves and what not. Where helm and kubectl are named
to it (``STAND_IN_HELM``), those for helm and kubernetes use them: :mod:`stand_in_kube`.

Run as: stand_in.py SCHEMA.json
"""

import importlib
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
# None: this stand-in knows no cloud.
CLOUD = None
if "ARM_METADATA_HOSTNAME" in os.environ and "azurerm_resource_group" in SCHEMA["resources"]:
    CLOUD = importlib.import_module("stand_in_arm")
elif "STAND_IN_HELM" in os.environ and "azurerm_resource_group" not in SCHEMA["resources"]:
    CLOUD = importlib.import_module("stand_in_kube")
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
    """What is computed and not given stays as it was; of what is new it is unknown."""
    out = dict(value)
    for name, attribute in block.get("attributes", {}).items():
        before = None if prior is None else prior.get(name)
        if attribute.get("write_only"):
            out[name] = None
        elif out.get(name) is not None:
            continue
        elif attribute.get("computed"):
            out[name] = UNKNOWN if prior is None else before
        elif before in ("", [], {}, 0, False):
            out[name] = before  # nothing given is nothing there
    for name, inner in block.get("blocks", {}).items():
        before = (prior or {}).get(name) or []
        items = out.get(name) or []
        if isinstance(items, msgpack.ExtType):
            continue  # a dynamic block over what is not known yet
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


def forget_unknown(value):
    """Nothing where a plan did not know: whoever asks Azure reads it afterwards."""
    if isinstance(value, msgpack.ExtType):
        return None
    if isinstance(value, dict):
        return {name: forget_unknown(one) for name, one in value.items()}
    return [forget_unknown(one) for one in value] if isinstance(value, list) else value


def say_failed(field, summary):
    return write_bytes(field, write_number(1, 1) + write_bytes(2, summary))


def plan(request):
    message = read_message(request)
    kind, prior, wanted = message[1].decode(), read_value(message, 2), read_value(message, 3)
    if wanted is None:
        return write_value(1, None)
    if CLOUD:
        wanted = CLOUD.complete(kind, prior, wanted)
    planned = foresee(SCHEMA["resources"][kind], wanted, prior)
    if not CLOUD:
        planned["id"] = stand_in_ids.find(kind, planned) or planned["id"]
    fixed = CLOUD.list_replacing(kind, prior, planned) if CLOUD and prior else []
    paths = (write_bytes(2, write_bytes(1, write_bytes(1, name))) for name in fixed)
    return write_value(1, planned) + b"".join(paths) + write_number(5, 1)


def apply(request):
    message = read_message(request)
    kind, prior, planned = message[1].decode(), read_value(message, 2), read_value(message, 3)
    block = SCHEMA["resources"][kind]
    if not CLOUD:
        return write_value(1, planned and invent(block, planned)) + write_number(4, 1)
    try:
        state = CLOUD.apply(kind, block, prior, forget_unknown(planned), read_value(message, 4))
    except Exception as error:  # noqa: BLE001 - whatever it is, terraform has to be told
        return write_value(1, prior) + say_failed(3, f"{kind}: {error!r}") + write_number(4, 1)
    return write_value(1, state) + write_number(4, 1)


def read(request):
    message = read_message(request)
    if not CLOUD:
        return write_bytes(1, message[2])
    kind, state = message[1].decode(), read_value(message, 2)
    try:
        return write_value(1, CLOUD.read(kind, SCHEMA["resources"][kind], state))
    except Exception as error:  # noqa: BLE001 - as above
        return write_bytes(1, message[2]) + say_failed(2, f"{kind}: {error!r}")


def take_in(request):
    """Import: what the provider knows by an id alone; a read follows."""
    message = read_message(request)
    kind = message[1].decode()
    state = CLOUD.take_in(kind, SCHEMA["resources"][kind], message[2].decode())
    return write_bytes(1, write_bytes(1, kind) + write_value(2, state))


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


def configure(request):
    if CLOUD:
        CLOUD.configure(read_value(read_message(request), 2))
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
        "ConfigureProvider": configure,
        "UpgradeResourceState": upgrade,
        "ReadResource": read,
        "ImportResourceState": take_in,
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
    server = grpc.server(futures.ThreadPoolExecutor(16))
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
