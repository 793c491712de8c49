# The scenario's steps with kafka-python, a client written in Python.

import select
import sys

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import NewTopic
from kafka.consumer.subscription_state import ConsumerRebalanceListener
from kafka.errors import KafkaError
from kafka.structs import OffsetAndMetadata

from records_as_text import line_of, offsets_of, options_of, read_records, say, text_of


class Announce(ConsumerRebalanceListener):
    """Tells the driver what this member owns."""

    def on_partitions_revoked(self, revoked):
        say("revoked")

    def on_partitions_assigned(self, assigned):
        say("assigned " + ",".join(str(partition.partition) for partition in sorted(assigned)))


class Client:
    def __init__(self, options):
        self.options = options
        self.topic = options["topic"]
        self.servers = options["bootstrap"]

    def create(self):
        admin = KafkaAdminClient(bootstrap_servers=self.servers)
        admin.create_topics([NewTopic(self.topic, int(self.options["partitions"]), 1)])
        admin.close()

    def produce(self):
        codec = self.options["codec"]
        producer = KafkaProducer(
            bootstrap_servers=self.servers,
            acks="all",
            enable_idempotence=True,
            linger_ms=5,
            compression_type=None if codec == "none" else codec,
        )
        answers = [
            producer.send(self.topic, value, key, headers, timestamp_ms=timestamp)
            for timestamp, key, value, headers in read_records(self.options["input"])
        ]
        producer.flush(120)
        with open(self.options["output"], "w", encoding="ascii") as output:
            for answer in answers:
                place = answer.get(60)
                output.write(f"{place.partition}\t{place.offset}\n")
        producer.close()

    def consumer(self):
        return KafkaConsumer(
            bootstrap_servers=self.servers,
            group_id=self.options.get("group", "reader"),
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_poll_records=2000,
        )

    def partitions(self):
        return [TopicPartition(self.topic, number) for number in range(int(self.options["partitions"]))]

    def consume(self):
        missing = {TopicPartition(self.topic, p): end for p, end in offsets_of(self.options["ends"]).items() if end > 0}
        consumer = self.consumer()
        consumer.assign(list(missing))
        consumer.seek_to_beginning()
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
        for partition, records in consumer.poll(timeout_ms=200).items():
            for record in records:
                place = (record.partition, record.offset, record.timestamp)
                output.write(line_of(*place, record.key, record.value, record.headers))
            ends[partition] = records[-1].offset + 1
        output.flush()
        return ends

    def group(self):
        consumer = self.consumer()
        consumer.subscribe([self.topic], listener=Announce())
        with open(self.options["output"], "w", encoding="ascii") as output:
            while not select.select([sys.stdin], [], [], 0)[0]:
                ends = self.poll(consumer, output)
                if ends:
                    self.commit(consumer, ends)
        consumer.close()
        say("closed")

    @staticmethod
    def commit(consumer, ends):
        try:
            consumer.commit({partition: OffsetAndMetadata(end, "", -1) for partition, end in ends.items()})
            say("committed " + text_of({partition.partition: end for partition, end in ends.items()}))
        except KafkaError as error:
            say(f"refused {type(error).__name__}")

    def committed(self):
        consumer = self.consumer()
        found = {partition.partition: consumer.committed(partition) for partition in self.partitions()}
        say(text_of({partition: -1 if offset is None else offset for partition, offset in found.items()}))

    def offsets(self):
        timestamp = int(self.options["timestamp"])
        consumer = self.consumer()
        partitions = self.partitions()
        if timestamp == -2:
            found = consumer.beginning_offsets(partitions)
        elif timestamp == -1:
            found = consumer.end_offsets(partitions)
        else:
            answer = consumer.offsets_for_times({partition: timestamp for partition in partitions})
            found = {p: -1 if answer.get(p) is None else answer[p].offset for p in partitions}
        say(text_of({partition.partition: offset for partition, offset in found.items()}))

    def delete(self):
        before = offsets_of(self.options["before"])
        admin = KafkaAdminClient(bootstrap_servers=self.servers)
        low = admin.delete_records({TopicPartition(self.topic, p): offset for p, offset in before.items()})
        say(text_of({partition.partition: answer["low_watermark"] for partition, answer in low.items()}))
        admin.close()


if __name__ == "__main__":
    getattr(Client(options_of(sys.argv[2:])), sys.argv[1])()
