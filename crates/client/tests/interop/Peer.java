// Does with kafka-clients what a line on standard input says, and answers with a line. Arguments: bootstrap servers.

import java.io.BufferedReader;
import java.io.FileReader;
import java.io.InputStreamReader;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Collectors;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

public class Peer {
    private static String bootstrap;
    private static Thread member;
    private static AtomicBoolean leaving = new AtomicBoolean();
    private static volatile Set<TopicPartition> assignment = Set.of();

    public static void main(String[] arguments) throws Exception {
        bootstrap = arguments[0];
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            System.out.println(answer(line.split(" ")));
        }
        System.exit(0);
    }

    private static String answer(String[] words) throws Exception {
        switch (words[0]) {
            case "produce": return produce(words[1], Map.of("compression.type", words[2]), "v", Integer.parseInt(words[3]));
            case "produce-by-file": return produceByFile(words[1], words[2], Integer.parseInt(words[3]));
            case "keys": return produce(words[1], Map.of(), "key-", Integer.parseInt(words[2]));
            case "transact": return transact(words[1], words[2]);
            case "values": return values(words[1]);
            case "join": return join(words[1], words[2], words[3]);
            case "assignment": return assignment.stream().map(TopicPartition::toString).sorted().collect(Collectors.joining(","));
            case "leave": leaving.set(true); member.join(); assignment = Set.of(); return "ok";
            default: return "unknown command";
        }
    }

    private static KafkaProducer<String, String> producer(Map<String, String> settings) {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", bootstrap);
        properties.putAll(settings);
        return new KafkaProducer<>(properties, new StringSerializer(), new StringSerializer());
    }

    private static String produce(String topic, Map<String, String> settings, String prefix, int count) {
        try (KafkaProducer<String, String> producer = producer(settings)) {
            for (int index = 0; index < count; index++) {
                producer.send(new ProducerRecord<>(topic, prefix + index, prefix + index));
            }
        }
        return "ok";
    }

    private static String produceByFile(String file, String topic, int count) throws Exception {
        Properties properties = new Properties();
        try (FileReader reader = new FileReader(file)) {
            properties.load(reader);
        }
        try (KafkaProducer<String, String> producer = new KafkaProducer<>(properties)) {
            for (int index = 0; index < count; index++) {
                producer.send(new ProducerRecord<>(topic, "v" + index, "v" + index));
            }
        }
        return "ok";
    }

    private static String transact(String topic, String id) {
        try (KafkaProducer<String, String> producer = producer(Map.of("transactional.id", id))) {
            producer.initTransactions();
            for (String word : List.of("committed", "aborted", "committed-again")) {
                producer.beginTransaction();
                for (int index = 0; index < 10; index++) {
                    producer.send(new ProducerRecord<>(topic, word + "-" + index));
                }
                if (word.equals("aborted")) {
                    producer.flush();
                    producer.abortTransaction();
                } else {
                    producer.commitTransaction();
                }
            }
        }
        return "ok";
    }

    private static KafkaConsumer<String, String> consumer(Map<String, String> settings) {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", bootstrap);
        properties.put("auto.offset.reset", "earliest");
        properties.put("isolation.level", "read_committed");
        properties.putAll(settings);
        return new KafkaConsumer<>(properties, new StringDeserializer(), new StringDeserializer());
    }

    private static String values(String topic) {
        List<String> values = new ArrayList<>();
        try (KafkaConsumer<String, String> consumer = consumer(Map.of())) {
            List<TopicPartition> partitions = consumer.partitionsFor(topic).stream()
                .map(one -> new TopicPartition(topic, one.partition())).collect(Collectors.toList());
            consumer.assign(partitions);
            Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
            while (partitions.stream().anyMatch(one -> consumer.position(one) < ends.get(one))) {
                for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofMillis(100))) {
                    values.add(record.value());
                }
            }
        }
        Collections.sort(values);
        return String.join(",", values);
    }

    private static String join(String group, String topic, String assignor) {
        Map<String, String> settings = assignor.equals("consumer")
            ? Map.of("group.id", group, "group.protocol", "consumer")
            : Map.of("group.id", group, "group.protocol", "classic", "partition.assignment.strategy", className(assignor),
                "heartbeat.interval.ms", "300", "session.timeout.ms", "6000");
        leaving = new AtomicBoolean();
        AtomicBoolean mine = leaving;
        member = new Thread(() -> {
            try (KafkaConsumer<String, String> consumer = consumer(settings)) {
                consumer.subscribe(List.of(topic));
                while (!mine.get()) {
                    consumer.poll(Duration.ofMillis(50));
                    assignment = consumer.assignment();
                }
            }
        });
        member.start();
        return "ok";
    }

    private static String className(String assignor) {
        String simple = switch (assignor) {
            case "range" -> "RangeAssignor";
            case "roundrobin" -> "RoundRobinAssignor";
            case "sticky" -> "StickyAssignor";
            default -> "CooperativeStickyAssignor";
        };
        return "org.apache.kafka.clients.consumer." + simple;
    }
}
