# Transactions with confluent-kafka (librdkafka): commit, abort, offsets, fencing. Argument: bootstrap servers.

import sys
import uuid

from confluent_kafka import Consumer, KafkaException, Producer
from confluent_kafka.admin import AdminClient, NewTopic

BOOTSTRAP = sys.argv[1]
PATIENCE = 30


def check(what, expected, found):
    if expected != found:
        sys.exit(f"{what}: expected {expected}, found {found}")


def producer(transactional_id):
    made = Producer({"bootstrap.servers": BOOTSTRAP, "transactional.id": transactional_id})
    made.init_transactions(PATIENCE)
    return made


def consumer(group):
    made = Consumer(
        {
            "bootstrap.servers": BOOTSTRAP,
            "group.id": group,
            "isolation.level": "read_committed",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
        }
    )
    made.subscribe(["in"])
    return made


def read(reader, partitions):
    """Everything up to the end of each partition."""
    values, ended = [], set()
    while len(ended) < partitions:
        message = reader.poll(PATIENCE)
        if message is None:
            sys.exit("the reader gets nothing")
        if message.error():
            ended.add(message.partition())
        else:
            values.append(message.value().decode())
    return values


def main():
    admin = AdminClient({"bootstrap.servers": BOOTSTRAP})
    for future in admin.create_topics([NewTopic("in", 3, 1), NewTopic("out", 1, 1)]).values():
        future.result()
    writer = producer("writer")
    for number in range(12):
        writer.begin_transaction()
        for record in range(10):
            writer.produce("in", key=str(record), value=f"{number}-{record}")
        if number % 3 == 1:
            writer.flush(PATIENCE)
            writer.abort_transaction(PATIENCE)
        else:
            writer.commit_transaction(PATIENCE)
    expected = sorted(f"{number}-{record}" for number in range(12) for record in range(10) if number % 3 != 1)
    reader = consumer("readers")
    check("committed records", expected, sorted(read(reader, 3)))

    writer.begin_transaction()
    writer.produce("out", value="with offsets")
    positions = reader.position(reader.assignment())
    writer.send_offsets_to_transaction(positions, reader.consumer_group_metadata(), PATIENCE)
    writer.abort_transaction(PATIENCE)
    check("offsets aborted", {-1001}, {partition.offset for partition in reader.committed(reader.assignment(), PATIENCE)})
    writer.begin_transaction()
    writer.send_offsets_to_transaction(positions, reader.consumer_group_metadata(), PATIENCE)
    writer.commit_transaction(PATIENCE)
    places = {(partition.partition, partition.offset) for partition in positions}
    found = {(partition.partition, partition.offset) for partition in reader.committed(reader.assignment(), PATIENCE)}
    check("offsets committed", places, found)

    writer.begin_transaction()
    writer.produce("in", value="zombie")
    writer.flush(PATIENCE)
    producer("writer")
    try:
        writer.commit_transaction(PATIENCE)
        sys.exit("an instance that was replaced has committed")
    except KafkaException as error:
        check("fenced", True, error.args[0].fatal())
    check("committed records afterwards", expected, sorted(read(consumer(f"again-{uuid.uuid4()}"), 3)))
    print("OK")


main()
