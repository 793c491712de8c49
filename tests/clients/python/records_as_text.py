# The text form of records that the driver writes and reads; both Python clients use it.

"""A record is `timestamp TAB key TAB value TAB headers`, bytes in hex, `-` for null."""


def options_of(arguments):
    """`name=value` arguments as a dictionary."""
    return dict(argument.split("=", 1) for argument in arguments)


def bytes_of(text):
    return None if text == "-" else bytes.fromhex(text)


def hex_of(data):
    return "-" if data is None else data.hex()


def read_records(path):
    """Yields (timestamp, key, value, headers)."""
    with open(path, encoding="ascii") as lines:
        for line in lines:
            timestamp, key, value, headers = line.rstrip("\n").split("\t")
            pairs = [pair.split("=", 1) for pair in headers.split(",")] if headers else []
            yield int(timestamp), bytes_of(key), bytes_of(value), [(name, bytes_of(data)) for name, data in pairs]


def line_of(partition, offset, timestamp, key, value, headers):
    joined = ",".join(f"{name}={hex_of(data)}" for name, data in headers or [])
    return f"{partition}\t{offset}\t{timestamp}\t{hex_of(key)}\t{hex_of(value)}\t{joined}\n"


def offsets_of(text):
    """`0:5,1:7` as a dictionary."""
    return {int(partition): int(offset) for partition, offset in (pair.split(":") for pair in text.split(","))}


def text_of(offsets):
    return ",".join(f"{partition}:{offset}" for partition, offset in sorted(offsets.items()))


def say(line):
    print(line, flush=True)
