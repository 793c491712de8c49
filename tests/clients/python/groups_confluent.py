# Consumer groups of the new protocol (KIP-848) with confluent-kafka (librdkafka). Argument: bootstrap servers.

import sys
import time

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

BOOTSTRAP = sys.argv[1]
PATIENCE = 60
RECORDS = 600


def member(name, **more):
    return Consumer(
        {
            "bootstrap.servers": BOOTSTRAP,
            "client.id": name,
            "group.id": "readers",
            "group.protocol": "consumer",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            **more,
        }
    )


def until(what, members, holds, read):
    begun = time.monotonic()
    while not holds():
        if time.monotonic() - begun > PATIENCE:
            sys.exit(f"not within {PATIENCE} s: {what}: {[place.assignment() for place in members]}")
        for consumer in members:
            message = consumer.poll(0.02)
            if message is None:
                continue
            if message.error():
                sys.exit(f"{what}: {message.error()}")
            read.append(message.value().decode())
    print(f"ok {what} {int(1000 * (time.monotonic() - begun))} ms")


def sizes(*members):
    """Sizes of the assignments, if no partition is assigned twice."""
    places = [(place.topic, place.partition) for consumer in members for place in consumer.assignment()]
    if len(places) != len(set(places)):
        return None
    return sorted(len(consumer.assignment()) for consumer in members)


def main():
    admin = AdminClient({"bootstrap.servers": BOOTSTRAP})

    def create(topic, partitions):
        for future in admin.create_topics([NewTopic(topic, partitions, 1)]).values():
            future.result()

    create("words-one", 4)
    create("other", 2)
    producer = Producer({"bootstrap.servers": BOOTSTRAP})
    for number in range(RECORDS):
        producer.produce("words-one", key=str(number), value=f"one-{number}")
    producer.flush(PATIENCE)

    read = []
    first = member("first")
    first.subscribe(["words-one"])
    until("one member has everything", [first], lambda: sizes(first) == [4], read)
    until("everything is read", [first], lambda: len(read) >= RECORDS, read)
    first.commit(asynchronous=False)

    second = member("second", **{"group.remote.assignor": "range"})
    second.subscribe(["words-one"])
    until("two members share", [first, second], lambda: sizes(first, second) == [2, 2], read)
    for number in range(RECORDS, 2 * RECORDS):
        producer.produce("words-one", key=str(number), value=f"one-{number}")
    producer.flush(PATIENCE)
    until("both read on", [first, second], lambda: len(read) >= 2 * RECORDS, read)
    if len(read) != len(set(read)):
        sys.exit("something was read twice")
    first.commit(asynchronous=False)
    second.commit(asynchronous=False)

    second.close()
    until("the first member has everything again", [first], lambda: sizes(first) == [4], read)
    committed = first.committed([TopicPartition("words-one", number) for number in range(4)], PATIENCE)
    if sum(place.offset for place in committed) != 2 * RECORDS:
        sys.exit(f"committed: {committed}")

    first.unsubscribe()
    first.subscribe(["^words-.*"])
    until("a regular expression finds the topic", [first], lambda: sizes(first) == [4], read)
    create("words-two", 3)
    until("a regular expression finds a new topic", [first], lambda: sizes(first) == [7], read)
    third = member("third", **{"group.instance.id": "place"})
    third.subscribe(["^words-.*", "other"])
    until("another subscription", [first, third], lambda: sum(sizes(first, third) or [0]) == 9, read)
    third.close()
    first.close()
    print("OK")


main()
