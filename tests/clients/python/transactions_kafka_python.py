# Transactions with kafka-python: commit, abort, offsets, fencing. Argument: bootstrap servers.

import sys
import time

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import NewTopic
from kafka.structs import OffsetAndMetadata

BOOTSTRAP = sys.argv[1]
PATIENCE = 30


def check(what, expected, found):
    if expected != found:
        sys.exit(f"{what}: expected {expected}, found {found}")


def producer():
    made = KafkaProducer(bootstrap_servers=BOOTSTRAP, transactional_id="writer")
    made.init_transactions()
    return made


def read(isolation):
    """Everything up to the end of the topic."""
    consumer = KafkaConsumer(
        bootstrap_servers=BOOTSTRAP, isolation_level=isolation, auto_offset_reset="earliest", enable_auto_commit=False
    )
    places = [TopicPartition("in", number) for number in range(3)]
    consumer.assign(places)
    ends = consumer.end_offsets(places)
    values = []
    deadline = time.monotonic() + PATIENCE
    while any(consumer.position(place) < ends[place] for place in places):
        if time.monotonic() > deadline:
            sys.exit(f"the reader gets no further than {[consumer.position(place) for place in places]} of {ends}")
        for records in consumer.poll(timeout_ms=200).values():
            values += [record.value.decode() for record in records]
    consumer.close()
    return sorted(values)


def main():
    admin = KafkaAdminClient(bootstrap_servers=BOOTSTRAP)
    admin.create_topics([NewTopic("in", 3, 1)])
    writer = producer()
    for number in range(12):
        writer.begin_transaction()
        for record in range(10):
            writer.send("in", key=str(record).encode(), value=f"{number}-{record}".encode())
        if number % 3 == 1:
            writer.flush()
            writer.abort_transaction()
        else:
            writer.commit_transaction()
    expected = sorted(f"{number}-{record}" for number in range(12) for record in range(10) if number % 3 != 1)
    check("committed records", expected, read("read_committed"))
    check("all records", 120, len(read("read_uncommitted")))

    place = TopicPartition("in", 0)
    reader = KafkaConsumer(bootstrap_servers=BOOTSTRAP, group_id="readers", enable_auto_commit=False)
    for outcome, committed in (("abort", None), ("commit", 7)):
        writer.begin_transaction()
        writer.send_offsets_to_transaction({place: OffsetAndMetadata(7, "", -1)}, "readers")
        getattr(writer, f"{outcome}_transaction")()
        check(f"offsets after {outcome}", committed, reader.committed(place))
    reader.close()

    writer.begin_transaction()
    writer.send("in", value=b"zombie")
    writer.flush()
    second = producer()
    try:
        writer.commit_transaction()
        sys.exit("an instance that was replaced has committed")
    except Exception as error:
        check("fenced", True, "Fenced" in type(error).__name__ or "Epoch" in type(error).__name__)
    check("committed records afterwards", expected, read("read_committed"))
    second.close()
    print("OK")


main()
