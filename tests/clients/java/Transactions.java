// Transactions with kafka-clients: commit, abort, fence, and a copy that is exactly once while the server is killed.
// Arguments: bootstrap servers. Prints KILL when the server is to be killed, OK at the end.

import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.UUID;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.TransactionState;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.InvalidProducerEpochException;
import org.apache.kafka.common.errors.ProducerFencedException;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

public class Transactions {
    private static final int TRANSACTIONS = 40;
    private static String bootstrap;

    public static void main(String[] arguments) throws Exception {
        bootstrap = arguments[0];
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", bootstrap))) {
            admin.createTopics(List.of(new NewTopic("in", 3, (short) 1), new NewTopic("out", 3, (short) 1))).all().get();
            int committed = fill();
            check("committed records", committed, read("in", "read_committed").size());
            check("all records", TRANSACTIONS * 10, read("in", "read_uncommitted").size());
            fence();
            check("committed records after fencing", committed, read("in", "read_committed").size());
            copy(committed);
            List<String> copied = read("out", "read_committed");
            check("copies", committed, copied.size());
            check("distinct copies", committed, new HashSet<>(copied).size());
            TransactionState state = admin.describeTransactions(List.of("fill")).all().get().get("fill").state();
            check("state", TransactionState.COMPLETE_COMMIT, state);
        }
        System.out.println("OK");
        System.exit(0);
    }

    private static void check(String what, Object expected, Object found) {
        if (!expected.equals(found)) {
            System.out.println(what + ": expected " + expected + ", found " + found);
            System.exit(1);
        }
    }

    private static KafkaProducer<String, String> producer(String id) {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", bootstrap);
        properties.put("transactional.id", id);
        KafkaProducer<String, String> producer =
            new KafkaProducer<>(properties, new StringSerializer(), new StringSerializer());
        producer.initTransactions();
        return producer;
    }

    private static KafkaConsumer<String, String> consumer(String group, String isolation) {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", bootstrap);
        properties.put("group.id", group);
        properties.put("isolation.level", isolation);
        properties.put("auto.offset.reset", "earliest");
        properties.put("enable.auto.commit", "false");
        properties.put("max.poll.records", "20");
        return new KafkaConsumer<>(properties, new StringDeserializer(), new StringDeserializer());
    }

    /** Every third transaction aborts. */
    private static int fill() {
        int committed = 0;
        try (KafkaProducer<String, String> producer = producer("fill")) {
            for (int number = 0; number < TRANSACTIONS; number++) {
                producer.beginTransaction();
                for (int record = 0; record < 10; record++) {
                    producer.send(new ProducerRecord<>("in", "key" + record, number + "-" + record));
                }
                if (number % 3 == 1) {
                    producer.flush();
                    producer.abortTransaction();
                } else {
                    producer.commitTransaction();
                    committed += 10;
                }
            }
        }
        return committed;
    }

    private static List<String> read(String topic, String isolation) {
        List<String> values = new ArrayList<>();
        try (KafkaConsumer<String, String> consumer = consumer("reader-" + UUID.randomUUID(), isolation)) {
            List<TopicPartition> partitions = new ArrayList<>();
            consumer.partitionsFor(topic).forEach(info -> partitions.add(new TopicPartition(topic, info.partition())));
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
            while (partitions.stream().anyMatch(partition -> consumer.position(partition) < ends.get(partition))) {
                consumer.poll(Duration.ofMillis(200)).forEach(record -> values.add(record.value()));
            }
        }
        return values;
    }

    /** An instance that was replaced cannot commit what it had open. */
    private static void fence() throws Exception {
        try (KafkaProducer<String, String> zombie = producer("fenced")) {
            zombie.beginTransaction();
            zombie.send(new ProducerRecord<>("in", "zombie", "zombie")).get();
            try (KafkaProducer<String, String> ignored = producer("fenced")) {
                zombie.commitTransaction();
                check("the replaced instance", "fenced", "committed");
            } catch (ProducerFencedException | InvalidProducerEpochException expected) {
                return;
            }
        }
    }

    /** Reads, writes and commits offsets in one transaction after another, and begins anew where one fails. */
    private static void copy(int expected) {
        boolean killed = false;
        int copied = 0;
        int round = 0;
        while (copied < expected) {
            try (KafkaProducer<String, String> producer = producer("copy");
                    KafkaConsumer<String, String> consumer = consumer("copier", "read_committed")) {
                consumer.subscribe(List.of("in"));
                while (copied < expected) {
                    ConsumerRecords<String, String> records = consumer.poll(Duration.ofMillis(500));
                    if (records.isEmpty()) {
                        Set<String> soFar = new HashSet<>(read("out", "read_committed"));
                        copied = soFar.size();
                        continue;
                    }
                    producer.beginTransaction();
                    Map<TopicPartition, OffsetAndMetadata> offsets = new HashMap<>();
                    for (ConsumerRecord<String, String> record : records) {
                        producer.send(new ProducerRecord<>("out", record.key(), record.value()));
                        TopicPartition partition = new TopicPartition(record.topic(), record.partition());
                        offsets.put(partition, new OffsetAndMetadata(record.offset() + 1));
                    }
                    producer.sendOffsetsToTransaction(offsets, consumer.groupMetadata());
                    if (++round == 4 && !killed) {
                        killed = true;
                        System.out.println("KILL");
                    }
                    if (round % 3 == 2) {
                        throw new KafkaException("a transaction that is left open for the next instance to abort");
                    }
                    producer.commitTransaction();
                }
            } catch (KafkaException begunAnew) {
                System.out.println("begins anew: " + begunAnew.getMessage());
            }
        }
    }
}
