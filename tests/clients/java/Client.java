// The scenario's steps with Apache Kafka's Java client, written against the API of its version 2.1.

import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.InputStreamReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.Future;
import org.apache.kafka.clients.admin.AdminClient;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.consumer.OffsetAndTimestamp;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

public final class Client {
    private static final HexFormat HEX = HexFormat.of();
    private final Map<String, String> options = new HashMap<>();
    private final String topic;

    private Client(String[] arguments) {
        for (int i = 1; i < arguments.length; i++) {
            int split = arguments[i].indexOf('=');
            options.put(arguments[i].substring(0, split), arguments[i].substring(split + 1));
        }
        topic = options.get("topic");
    }

    public static void main(String[] arguments) throws Exception {
        Client client = new Client(arguments);
        switch (arguments[0]) {
            case "create" -> client.create();
            case "produce" -> client.produce();
            case "consume" -> client.consume();
            case "group" -> client.group();
            case "committed" -> client.committed();
            case "offsets" -> client.offsets();
            case "delete" -> client.delete();
            default -> throw new IllegalArgumentException(arguments[0]);
        }
    }

    private void create() throws Exception {
        try (AdminClient admin = AdminClient.create(connection())) {
            int partitions = Integer.parseInt(options.get("partitions"));
            admin.createTopics(List.of(new NewTopic(topic, partitions, (short) 1))).all().get();
        }
    }

    private void produce() throws Exception {
        Properties properties = connection();
        properties.put("enable.idempotence", "true");
        properties.put("acks", "all");
        properties.put("linger.ms", "5");
        properties.put("compression.type", options.get("codec"));
        List<Future<RecordMetadata>> answers = new ArrayList<>();
        try (KafkaProducer<byte[], byte[]> producer =
                     new KafkaProducer<>(properties, new ByteArraySerializer(), new ByteArraySerializer());
             BufferedReader input = Files.newBufferedReader(Path.of(options.get("input")))) {
            for (String line = input.readLine(); line != null; line = input.readLine()) {
                String[] fields = line.split("\t", -1);
                answers.add(producer.send(new ProducerRecord<>(topic, null, Long.parseLong(fields[0]),
                        bytes(fields[1]), bytes(fields[2]), headers(fields[3]))));
            }
            producer.flush();
        }
        try (BufferedWriter output = Files.newBufferedWriter(Path.of(options.get("output")))) {
            for (Future<RecordMetadata> answer : answers) {
                output.write(answer.get().partition() + "\t" + answer.get().offset() + "\n");
            }
        }
    }

    private void consume() throws Exception {
        Map<TopicPartition, Long> ends = partitionOffsets(options.get("ends"));
        try (KafkaConsumer<byte[], byte[]> consumer = consumer();
             BufferedWriter output = Files.newBufferedWriter(Path.of(options.get("output")))) {
            consumer.assign(ends.keySet());
            consumer.seekToBeginning(ends.keySet());
            while (ends.entrySet().stream().anyMatch(end -> consumer.position(end.getKey()) < end.getValue())) {
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(500))) {
                    output.write(line(record));
                }
            }
        }
    }

    private void group() throws Exception {
        BufferedReader commands = new BufferedReader(new InputStreamReader(System.in));
        try (KafkaConsumer<byte[], byte[]> consumer = consumer();
             BufferedWriter output = Files.newBufferedWriter(Path.of(options.get("output")))) {
            consumer.subscribe(List.of(topic), new ConsumerRebalanceListener() {
                @Override
                public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
                    System.out.println("revoked");
                }

                @Override
                public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
                    System.out.println("assigned " + numbers(consumer.assignment()));
                }
            });
            while (!commands.ready()) {
                ConsumerRecords<byte[], byte[]> records = consumer.poll(Duration.ofMillis(200));
                if (records.isEmpty()) {
                    continue;
                }
                for (ConsumerRecord<byte[], byte[]> record : records) {
                    output.write(line(record));
                }
                output.flush();
                commit(consumer, records);
            }
        }
        System.out.println("closed");
    }

    private void commit(KafkaConsumer<byte[], byte[]> consumer, ConsumerRecords<byte[], byte[]> records) {
        Map<TopicPartition, OffsetAndMetadata> offsets = new HashMap<>();
        for (TopicPartition partition : records.partitions()) {
            List<ConsumerRecord<byte[], byte[]>> some = records.records(partition);
            offsets.put(partition, new OffsetAndMetadata(some.get(some.size() - 1).offset() + 1));
        }
        try {
            consumer.commitSync(offsets);
            Map<TopicPartition, Long> plain = new HashMap<>();
            offsets.forEach((partition, offset) -> plain.put(partition, offset.offset()));
            System.out.println("committed " + text(plain));
        } catch (org.apache.kafka.common.KafkaException e) {
            System.out.println("refused " + e.getClass().getSimpleName());
        }
    }

    private void committed() throws Exception {
        Map<TopicPartition, Long> found = new HashMap<>();
        try (KafkaConsumer<byte[], byte[]> consumer = consumer()) {
            for (TopicPartition partition : partitions()) {
                OffsetAndMetadata offset = committed(consumer, partition);
                found.put(partition, offset == null ? -1 : offset.offset());
            }
        }
        System.out.println(text(found));
    }

    /** Version 2.1 asks for one partition, version 4 for a set: no call is in both. */
    private static OffsetAndMetadata committed(KafkaConsumer<?, ?> consumer, TopicPartition partition) throws Exception {
        try {
            var ofSet = KafkaConsumer.class.getMethod("committed", Set.class);
            return (OffsetAndMetadata) ((Map<?, ?>) ofSet.invoke(consumer, Set.of(partition))).get(partition);
        } catch (NoSuchMethodException oldClient) {
            return (OffsetAndMetadata) KafkaConsumer.class.getMethod("committed", TopicPartition.class).invoke(consumer, partition);
        }
    }

    private void offsets() {
        long timestamp = Long.parseLong(options.get("timestamp"));
        try (KafkaConsumer<byte[], byte[]> consumer = consumer()) {
            List<TopicPartition> partitions = partitions();
            Map<TopicPartition, Long> found = new HashMap<>();
            if (timestamp == -2) {
                found.putAll(consumer.beginningOffsets(partitions));
            } else if (timestamp == -1) {
                found.putAll(consumer.endOffsets(partitions));
            } else {
                Map<TopicPartition, Long> wanted = new HashMap<>();
                partitions.forEach(partition -> wanted.put(partition, timestamp));
                Map<TopicPartition, OffsetAndTimestamp> answer = consumer.offsetsForTimes(wanted);
                for (TopicPartition partition : partitions) {
                    OffsetAndTimestamp offset = answer.get(partition);
                    found.put(partition, offset == null ? -1 : offset.offset());
                }
            }
            System.out.println(text(found));
        }
    }

    private void delete() throws Exception {
        Map<TopicPartition, RecordsToDelete> before = new HashMap<>();
        partitionOffsets(options.get("before"))
                .forEach((partition, offset) -> before.put(partition, RecordsToDelete.beforeOffset(offset)));
        Map<TopicPartition, Long> low = new HashMap<>();
        try (AdminClient admin = AdminClient.create(connection())) {
            for (var answer : admin.deleteRecords(before).lowWatermarks().entrySet()) {
                low.put(answer.getKey(), answer.getValue().get().lowWatermark());
            }
        }
        System.out.println(text(low));
    }

    private Properties connection() {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", options.get("bootstrap"));
        return properties;
    }

    private KafkaConsumer<byte[], byte[]> consumer() {
        Properties properties = connection();
        properties.put("group.id", options.getOrDefault("group", "reader"));
        properties.put("enable.auto.commit", "false");
        properties.put("auto.offset.reset", "earliest");
        properties.put("max.poll.records", "2000");
        return new KafkaConsumer<>(properties, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }

    private List<TopicPartition> partitions() {
        List<TopicPartition> partitions = new ArrayList<>();
        for (int i = 0; i < Integer.parseInt(options.get("partitions")); i++) {
            partitions.add(new TopicPartition(topic, i));
        }
        return partitions;
    }

    private Map<TopicPartition, Long> partitionOffsets(String text) {
        Map<TopicPartition, Long> offsets = new HashMap<>();
        for (String pair : text.split(",")) {
            String[] parts = pair.split(":");
            offsets.put(new TopicPartition(topic, Integer.parseInt(parts[0])), Long.parseLong(parts[1]));
        }
        return offsets;
    }

    private static String text(Map<TopicPartition, Long> offsets) {
        TreeMap<Integer, Long> sorted = new TreeMap<>();
        offsets.forEach((partition, offset) -> sorted.put(partition.partition(), offset));
        List<String> pairs = new ArrayList<>();
        sorted.forEach((partition, offset) -> pairs.add(partition + ":" + offset));
        return String.join(",", pairs);
    }

    private static String numbers(Collection<TopicPartition> partitions) {
        return String.join(",", partitions.stream().map(TopicPartition::partition).sorted().map(String::valueOf).toList());
    }

    private static byte[] bytes(String hex) {
        return hex.equals("-") ? null : HEX.parseHex(hex);
    }

    private static String hex(byte[] bytes) {
        return bytes == null ? "-" : HEX.formatHex(bytes);
    }

    private static RecordHeaders headers(String text) {
        RecordHeaders headers = new RecordHeaders();
        for (String pair : text.isEmpty() ? new String[0] : text.split(",")) {
            int split = pair.indexOf('=');
            headers.add(pair.substring(0, split), bytes(pair.substring(split + 1)));
        }
        return headers;
    }

    private static String line(ConsumerRecord<byte[], byte[]> record) {
        StringBuilder headers = new StringBuilder();
        for (Header header : record.headers()) {
            headers.append(headers.length() == 0 ? "" : ",").append(header.key()).append('=').append(hex(header.value()));
        }
        return record.partition() + "\t" + record.offset() + "\t" + record.timestamp() + "\t" + hex(record.key()) + "\t"
                + hex(record.value()) + "\t" + headers + "\n";
    }
}
