# Does with librdkafka what a line on standard input says, and answers with a line. Arguments: bootstrap servers.

import sys
import threading

from confluent_kafka import Consumer, Producer, TopicPartition

BOOTSTRAP = sys.argv[1]


class Member:
    """A member of a group that polls in a thread of its own."""

    def __init__(self):
        self.assignment, self.leaving, self.thread = [], None, None

    def join(self, group, topic, assignor):
        settings = {"group.id": group, "group.protocol": "consumer"}
        if assignor != "consumer":
            settings = {
                "group.id": group,
                "partition.assignment.strategy": assignor,
                "heartbeat.interval.ms": 300,
                "session.timeout.ms": 6000,
            }
        self.leaving = threading.Event()
        self.thread = threading.Thread(target=self.run, args=(consumer(settings), topic, self.leaving))
        self.thread.start()

    def run(self, reader, topic, leaving):
        reader.subscribe([topic])
        while not leaving.is_set():
            reader.poll(0.05)
            self.assignment = sorted(f"{one.topic}-{one.partition}" for one in reader.assignment())
        reader.close()

    def leave(self):
        self.leaving.set()
        self.thread.join()
        self.assignment = []


def consumer(settings):
    base = {"bootstrap.servers": BOOTSTRAP, "auto.offset.reset": "earliest", "isolation.level": "read_committed"}
    return Consumer({**base, **settings})


def producer(settings):
    return Producer({"bootstrap.servers": BOOTSTRAP, **settings})


def send(writer, topic, prefix, count):
    failures = []
    for index in range(count):
        text = f"{prefix}{index}"
        told = lambda error, _: failures.append(error) if error else None
        writer.produce(topic, key=text, value=text, on_delivery=told)
        writer.poll(0)
    writer.flush()
    return str(failures[0]) if failures else "ok"


def transact(topic, transactional_id):
    writer = producer({"transactional.id": transactional_id})
    writer.init_transactions()
    for word in ["committed", "aborted", "committed-again"]:
        writer.begin_transaction()
        for index in range(10):
            writer.produce(topic, value=f"{word}-{index}")
        if word == "aborted":
            writer.flush()
            writer.abort_transaction()
        else:
            writer.commit_transaction()
    return "ok"


def values(topic):
    reader = consumer({"group.id": "values", "enable.auto.commit": False, "enable.partition.eof": True})
    partitions = list(reader.list_topics(topic).topics[topic].partitions)
    reader.assign([TopicPartition(topic, partition, 0) for partition in partitions])
    found, ended = [], set()
    while len(ended) < len(partitions):
        message = reader.poll(1)
        if message is None:
            continue
        if message.error():
            ended.add(message.partition())
        else:
            found.append(message.value().decode())
    reader.close()
    return ",".join(sorted(found))


def answer(words, member):
    command = words[0]
    if command == "produce":
        return send(producer({"compression.type": words[2]}), words[1], "v", int(words[3]))
    if command == "keys":
        # librdkafka's name of Java's partitioner; its own default hashes with CRC-32.
        return send(producer({"partitioner": "murmur2_random"}), words[1], "key-", int(words[2]))
    if command == "transact":
        return transact(words[1], words[2])
    if command == "values":
        return values(words[1])
    if command == "join":
        member.join(*words[1:])
        return "ok"
    if command == "assignment":
        return ",".join(member.assignment)
    if command == "leave":
        member.leave()
        return "ok"
    return "unknown command"


MEMBER = Member()
for line in sys.stdin:
    print(answer(line.split(), MEMBER), flush=True)
