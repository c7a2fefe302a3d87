# SPDX-License-Identifier: Apache-2.0
"""Requests with one bad field: every field of a message, every way in which it can be bad."""
from google.protobuf.descriptor import FieldDescriptor

MEGABYTE = 1 << 20
# Longer than any limit of a field; in every field, so no longer than it has to be.
LONG = 20_000
# Stands where bytes are put that no Python string can be; of the same length.
MARK = "\u0001INVALID\u0001"
NOT_UTF8 = b"\xff\xfe\xc0\x80\xed\xa0\x80\xf5\xff"
assert len(MARK.encode()) == len(NOT_UTF8)

STRINGS = {
    "empty": "", "nonsense": "nonsense", "too long": "a" * LONG, "NUL": "a\0b", "escape sequence": "\x1b[31mred\n",
    "foreign ID": "spiffe://other.org/x", "foreign trust domain": "other.org", "own ID without path": "spiffe://example.org",
    "upper case": "Example.Org", "not UTF-8": MARK, "other alphabet": "пример.испытание", "%": "%s%n%00",
}
BYTES = {"empty": b"", "a zero": b"\0", "too long": bytes(LONG), "text": b"nonsense", "a SEQUENCE": b"\x30\x03\x02\x01\x01"}
SIGNED = {32: {"negative": -1, "least": -(1 << 31), "most": (1 << 31) - 1},
          64: {"negative": -1, "least": -(1 << 63), "most": (1 << 63) - 1}}
UNSIGNED = {"zero": 0, "most of 64 bits": (1 << 64) - 1}


def values(field):
    kind = field.type
    if kind == FieldDescriptor.TYPE_STRING:
        return STRINGS
    if kind == FieldDescriptor.TYPE_BYTES:
        return BYTES
    if kind == FieldDescriptor.TYPE_INT32:
        return SIGNED[32]
    if kind == FieldDescriptor.TYPE_INT64:
        return SIGNED[64]
    if kind == FieldDescriptor.TYPE_ENUM:
        return {"unknown number": 99, "negative": -1}
    if kind in (FieldDescriptor.TYPE_UINT64, FieldDescriptor.TYPE_UINT32):
        return {name: value & ((1 << 64) - 1) for name, value in UNSIGNED.items()}
    return {"true": True, "false": False}


def is_mask(field):
    return field.message_type is not None and field.message_type.name.endswith("Mask")


def fields(descriptor, depth=4):
    """Paths of fields: tuples of descriptors, messages on the way."""
    for field in descriptor.fields:
        yield (field,)
        if field.message_type is not None and depth > 0 and not is_mask(field):
            for path in fields(field.message_type, depth - 1):
                yield (field, *path)


def element(message, field):
    """The message at a field; the first of a list, which is made if need be."""
    value = getattr(message, field.name)
    if not field.is_repeated:
        value.SetInParent()
        return value
    return value[0] if value else value.add()


def spoiled(base, path):
    """Names of faults and the message with each; `base` stays as it is."""
    *way, last = path

    def changed(change):
        message = type(base)()
        message.CopyFrom(base)
        holder = message
        for field in way:
            holder = element(holder, field)
        change(holder)
        return message

    if last.message_type is None:
        for name, value in values(last).items():
            if last.is_repeated:
                yield name, changed(lambda holder: (holder.ClearField(last.name), getattr(holder, last.name).append(value)))
                if name == "nonsense":
                    yield "twice", changed(
                        lambda holder: (holder.ClearField(last.name), getattr(holder, last.name).extend([value, value])))
            else:
                yield name, changed(lambda holder: setattr(holder, last.name, value))
        if last.is_repeated:
            yield "none", changed(lambda holder: holder.ClearField(last.name))
        return
    yield "absent", changed(lambda holder: holder.ClearField(last.name))
    if last.is_repeated:
        yield "an empty one", changed(lambda holder: (holder.ClearField(last.name), getattr(holder, last.name).add()))

        def twice(holder):
            items = getattr(holder, last.name)
            first = items[0] if items else items.add()
            items.add().CopyFrom(first)
        yield "the same twice", changed(twice)
    else:
        yield "empty", changed(lambda holder: (holder.ClearField(last.name), getattr(holder, last.name).SetInParent()))
    if is_mask(last):
        # A mask is a message of truth values: a bit nobody knows is an unknown field, which is passed over.
        yield "an unknown bit", changed(lambda holder: getattr(holder, last.name).MergeFromString(b"\xf8\x07\x01"))


def wire(message):
    """The bytes to send, with what is not UTF-8 put in its place."""
    return message.SerializeToString().replace(MARK.encode(), NOT_UTF8)
