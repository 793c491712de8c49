# The scenario's steps with confluent-kafka, which wraps librdkafka.

import select
import sys

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from records_as_text import line_of, offsets_of, options_of, read_records, say, text_of


class Client:
    def __init__(self, options):
        self.options = options
        self.topic = options["topic"]
        self.connection = {"bootstrap.servers": options["bootstrap"]}

    def create(self):
        admin = AdminClient(self.connection)
        topic = NewTopic(self.topic, int(self.options["partitions"]), 1)
        for future in admin.create_topics([topic]).values():
            future.result()

    def produce(self):
        settings = {"enable.idempotence": True, "acks": "all", "linger.ms": 5, "compression.type": self.options["codec"]}
        producer = Producer(self.connection | settings | {"queue.buffering.max.messages": 1000000})
        answers = []

        def answered(index):
            def note(error, message):
                if error is not None:
                    raise KafkaException(error)
                answers[index] = (message.partition(), message.offset())

            return note

        for index, (timestamp, key, value, headers) in enumerate(read_records(self.options["input"])):
            answers.append(None)
            producer.produce(self.topic, value, key, timestamp=timestamp, headers=headers, on_delivery=answered(index))
            producer.poll(0)
        if producer.flush(120) != 0:
            raise RuntimeError("records without an answer")
        with open(self.options["output"], "w", encoding="ascii") as output:
            output.writelines(f"{partition}\t{offset}\n" for partition, offset in answers)

    def consumer(self):
        settings = {"group.id": self.options.get("group", "reader"), "enable.auto.commit": False}
        return Consumer(self.connection | settings | {"auto.offset.reset": "earliest"})

    def partitions(self, offset=-1001):
        return [TopicPartition(self.topic, number, offset) for number in range(int(self.options["partitions"]))]

    def consume(self):
        missing = {partition: end for partition, end in offsets_of(self.options["ends"]).items() if end > 0}
        consumer = self.consumer()
        consumer.assign([TopicPartition(self.topic, partition, -2) for partition in missing])
        with open(self.options["output"], "w", encoding="ascii") as output:
            while missing:
                for partition, end in self.poll(consumer, output).items():
                    if end >= missing.get(partition, 0):
                        missing.pop(partition, None)
        consumer.close()

    @staticmethod
    def poll(consumer, output):
        """Writes down what has come and returns where each partition stands now."""
        ends = {}
        for message in consumer.consume(2000, 0.2):
            if message.error():
                say(f"refused {message.error().name()}")
                continue
            _, timestamp = message.timestamp()
            place = (message.partition(), message.offset(), timestamp)
            output.write(line_of(*place, message.key(), message.value(), message.headers()))
            ends[message.partition()] = message.offset() + 1
        output.flush()
        return ends

    def group(self):
        def assigned(consumer, partitions):
            say("assigned " + ",".join(str(partition.partition) for partition in partitions))

        consumer = self.consumer()
        consumer.subscribe([self.topic], on_assign=assigned, on_revoke=lambda *_: say("revoked"))
        with open(self.options["output"], "w", encoding="ascii") as output:
            while not select.select([sys.stdin], [], [], 0)[0]:
                ends = self.poll(consumer, output)
                if ends:
                    self.commit(consumer, ends)
        consumer.close()
        say("closed")

    def commit(self, consumer, ends):
        try:
            offsets = [TopicPartition(self.topic, partition, end) for partition, end in ends.items()]
            done = consumer.commit(offsets=offsets, asynchronous=False)
            failed = [partition.error for partition in done if partition.error]
            if failed:
                raise KafkaException(failed[0])
            say("committed " + text_of(ends))
        except KafkaException as error:
            say(f"refused {error}")

    def committed(self):
        found = self.consumer().committed(self.partitions(), 30)
        say(text_of({partition.partition: max(partition.offset, -1) for partition in found}))

    def offsets(self):
        timestamp = int(self.options["timestamp"])
        consumer = self.consumer()
        if timestamp < 0:
            marks = {p.partition: consumer.get_watermark_offsets(p, 30) for p in self.partitions()}
            found = {partition: mark[0 if timestamp == -2 else 1] for partition, mark in marks.items()}
        else:
            answer = consumer.offsets_for_times(self.partitions(timestamp), 30)
            found = {partition.partition: max(partition.offset, -1) for partition in answer}
        say(text_of(found))

    def delete(self):
        before = [TopicPartition(self.topic, p, offset) for p, offset in offsets_of(self.options["before"]).items()]
        # Answers only come while the client itself is alive.
        admin = AdminClient(self.connection)
        answers = admin.delete_records(before)
        say(text_of({partition.partition: future.result().low_watermark for partition, future in answers.items()}))


if __name__ == "__main__":
    getattr(Client(options_of(sys.argv[2:])), sys.argv[1])()
