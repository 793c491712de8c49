// Java's KafkaShareConsumer against a share group; each argument names a step. Every step prints one line.

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.*;
import java.util.concurrent.*;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.*;
import org.apache.kafka.common.config.ConfigResource;

public class ShareClient {
    static String bootstrap;

    static Map<String, Object> connection() {
        return new HashMap<>(Map.of("bootstrap.servers", bootstrap));
    }

    static KafkaShareConsumer<String, String> consumer(String group, Map<String, Object> more) {
        Map<String, Object> config = connection();
        String text = "org.apache.kafka.common.serialization.StringDeserializer";
        config.putAll(Map.of("group.id", group, "key.deserializer", text, "value.deserializer", text));
        config.putAll(more);
        return new KafkaShareConsumer<>(config);
    }

    static final Map<String, Object> EXPLICIT = Map.of("share.acknowledgement.mode", "explicit");

    static void produce(String topic, int from, int to) throws Exception {
        Map<String, Object> config = connection();
        String text = "org.apache.kafka.common.serialization.StringSerializer";
        config.putAll(Map.of("key.serializer", text, "value.serializer", text, "linger.ms", 5));
        try (KafkaProducer<String, String> producer = new KafkaProducer<>(config)) {
            List<Future<RecordMetadata>> sent = new ArrayList<>();
            for (int i = from; i < to; i++) sent.add(producer.send(new ProducerRecord<>(topic, "k" + i, "v" + i)));
            for (Future<RecordMetadata> one : sent) one.get(30, TimeUnit.SECONDS);
        }
    }

    static void prepare(Admin admin, String group, String topic, int partitions) throws Exception {
        admin.createTopics(List.of(new NewTopic(topic, partitions, (short) 1))).all().get();
        ConfigResource resource = new ConfigResource(ConfigResource.Type.GROUP, group);
        admin.incrementalAlterConfigs(Map.of(resource, List.of(
            new AlterConfigOp(new ConfigEntry("share.auto.offset.reset", "earliest"), AlterConfigOp.OpType.SET),
            new AlterConfigOp(new ConfigEntry("share.record.lock.duration.ms", "15000"), AlterConfigOp.OpType.SET)
        ))).all().get();
    }

    /** Reads until `count` records have come, or time is up. */
    static List<ConsumerRecord<String, String>> read(KafkaShareConsumer<String, String> consumer, int count) {
        List<ConsumerRecord<String, String>> read = new ArrayList<>();
        long end = System.nanoTime() + Duration.ofSeconds(60).toNanos();
        while (read.size() < count && System.nanoTime() < end) {
            for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofMillis(500))) read.add(record);
        }
        return read;
    }

    static void check(boolean holds, String what) {
        if (!holds) throw new AssertionError(what);
    }

    static String step(Admin admin, String step) throws Exception {
        switch (step) {
            case "implicit": {
                prepare(admin, "implicit", "implicit", 3);
                produce("implicit", 0, 3000);
                Set<String> seen = new HashSet<>();
                try (var consumer = consumer("implicit", Map.of())) {
                    consumer.subscribe(List.of("implicit"));
                    for (var record : read(consumer, 3000)) check(seen.add(record.value()), "twice: " + record);
                    consumer.commitSync();
                }
                check(seen.size() == 3000, "read " + seen.size());
                try (var consumer = consumer("implicit", Map.of())) {
                    consumer.subscribe(List.of("implicit"));
                    for (int i = 0; i < 10; i++) check(consumer.poll(Duration.ofMillis(300)).isEmpty(), "again");
                }
                return "3000 records once";
            }
            case "explicit": {
                prepare(admin, "explicit", "explicit", 1);
                produce("explicit", 0, 40);
                int released = 0, rejected = 0, accepted = 0;
                Map<String, Integer> deliveries = new TreeMap<>();
                try (var consumer = consumer("explicit", EXPLICIT)) {
                    consumer.subscribe(List.of("explicit"));
                    long end = System.nanoTime() + Duration.ofSeconds(60).toNanos();
                    while (accepted + rejected < 40 && System.nanoTime() < end) {
                        for (var record : consumer.poll(Duration.ofMillis(500))) {
                            int number = Integer.parseInt(record.value().substring(1));
                            deliveries.put(record.value(), (int) (short) record.deliveryCount().get());
                            if (number % 4 == 0 && record.deliveryCount().get() == 1) {
                                consumer.acknowledge(record, AcknowledgeType.RELEASE);
                                released++;
                            } else if (number % 4 == 1) {
                                consumer.acknowledge(record, AcknowledgeType.REJECT);
                                rejected++;
                            } else {
                                consumer.acknowledge(record, AcknowledgeType.ACCEPT);
                                accepted++;
                            }
                        }
                        for (var outcome : consumer.commitSync().entrySet())
                            check(outcome.getValue().isEmpty(), "commit: " + outcome);
                    }
                }
                check(released == 10 && rejected == 10 && accepted == 30, released + " " + rejected + " " + accepted);
                check(deliveries.get("v4") == 2 && deliveries.get("v2") == 1, deliveries.toString());
                return "10 released and read again, 10 rejected, 30 accepted";
            }
            case "renew": {
                prepare(admin, "renew", "renew", 1);
                produce("renew", 0, 2);
                try (var holder = consumer("renew", EXPLICIT); var other = consumer("renew", EXPLICIT)) {
                    holder.subscribe(List.of("renew"));
                    var records = read(holder, 2);
                    check(records.size() == 2, "read " + records.size());
                    check(holder.acquisitionLockTimeoutMs().orElse(0) == 15000, "lock " + holder.acquisitionLockTimeoutMs());
                    holder.acknowledge(records.get(1), AcknowledgeType.RELEASE);
                    holder.acknowledge(records.get(0), AcknowledgeType.RENEW);
                    holder.commitSync();
                    other.subscribe(List.of("renew"));
                    long begun = System.nanoTime();
                    List<String> others = new ArrayList<>();
                    long renewed = System.nanoTime();
                    while (System.nanoTime() - begun < Duration.ofSeconds(20).toNanos()) {
                        for (var record : other.poll(Duration.ofMillis(500))) {
                            others.add(record.value() + "/" + record.deliveryCount().get());
                            other.acknowledge(record, AcknowledgeType.ACCEPT);
                        }
                        other.commitSync();
                        if (System.nanoTime() - renewed > Duration.ofSeconds(6).toNanos()) {
                            for (var again : holder.poll(Duration.ofMillis(100)))
                                holder.acknowledge(again, AcknowledgeType.RENEW);
                            holder.commitSync();
                            renewed = System.nanoTime();
                        }
                    }
                    check(others.equals(List.of("v1/2")), others.toString());
                    return "a renewed lock outlasts its duration, a released record goes to another";
                }
            }
            case "shared": {
                prepare(admin, "shared", "shared", 1);
                produce("shared", 0, 20000);
                Map<String, Integer> seen = new ConcurrentHashMap<>();
                Map<Integer, Integer> shares = new ConcurrentHashMap<>();
                long end = System.nanoTime() + Duration.ofSeconds(90).toNanos();
                List<Thread> members = new ArrayList<>();
                for (int member = 0; member < 2; member++) {
                    int number = member;
                    Thread thread = new Thread(() -> {
                        try (var consumer = consumer("shared", Map.of("max.poll.records", 200))) {
                            consumer.subscribe(List.of("shared"));
                            while (seen.size() < 20000 && System.nanoTime() < end) {
                                for (var record : consumer.poll(Duration.ofMillis(200))) {
                                    seen.merge(record.value(), 1, Integer::sum);
                                    shares.merge(number, 1, Integer::sum);
                                }
                            }
                            consumer.commitSync();
                        }
                    });
                    thread.start();
                    members.add(thread);
                }
                for (Thread thread : members) thread.join();
                check(seen.size() == 20000, "read " + seen.size());
                check(seen.values().stream().allMatch(count -> count == 1), "something came twice");
                check(shares.size() == 2, "one member got everything: " + shares);
                return "20000 records once, both members of one partition got some";
            }
            case "before-kill": {
                prepare(admin, "killed", "killed", 1);
                produce("killed", 0, 400);
                var consumer = consumer("killed", EXPLICIT);
                consumer.subscribe(List.of("killed"));
                Set<String> seen = new HashSet<>();
                long end = System.nanoTime() + Duration.ofSeconds(60).toNanos();
                while (seen.size() < 400 && System.nanoTime() < end) {
                    for (var record : consumer.poll(Duration.ofMillis(500))) {
                        seen.add(record.value());
                        boolean isEven = Integer.parseInt(record.value().substring(1)) % 2 == 0;
                        consumer.acknowledge(record, isEven ? AcknowledgeType.ACCEPT : AcknowledgeType.RELEASE);
                    }
                    for (var outcome : consumer.commitSync().entrySet())
                        check(outcome.getValue().isEmpty(), "commit: " + outcome);
                }
                check(seen.size() == 400, "read " + seen.size());
                System.out.println("before-kill: 200 accepted, 200 released, no goodbye");
                System.out.flush();
                Runtime.getRuntime().halt(0);
                return "";
            }
            case "before-work": {
                prepare(admin, "work", "work", 2);
                admin.incrementalAlterConfigs(Map.of(new ConfigResource(ConfigResource.Type.GROUP, "work"), List.of(
                    new AlterConfigOp(new ConfigEntry("share.record.lock.duration.ms", "2000"), AlterConfigOp.OpType.SET),
                    new AlterConfigOp(new ConfigEntry("share.delivery.count.limit", "10"), AlterConfigOp.OpType.SET)
                ))).all().get();
                produce("work", 0, 4000);
                return "4000 records";
            }
            case "after-work": {
                long end = System.nanoTime() + Duration.ofSeconds(60).toNanos();
                String lags = "";
                while (System.nanoTime() < end) {
                    var offsets = admin.listShareGroupOffsets(Map.of("work", new ListShareGroupOffsetsSpec()))
                        .partitionsToOffsetInfo("work").get();
                    lags = offsets.toString();
                    if (offsets.size() == 2 && offsets.values().stream().allMatch(info -> info.lag().orElse(-1L) == 0)) {
                        return "nothing is left";
                    }
                    Thread.sleep(200);
                }
                throw new AssertionError("something is left: " + lags);
            }
            case "after-kill": {
                Set<String> seen = new TreeSet<>();
                try (var consumer = consumer("killed", Map.of())) {
                    consumer.subscribe(List.of("killed"));
                    for (var record : read(consumer, 200)) check(seen.add(record.value()), "twice: " + record);
                    consumer.commitSync();
                }
                for (String value : seen)
                    check(Integer.parseInt(value.substring(1)) % 2 == 1, "acknowledged before the kill: " + value);
                check(seen.size() == 200, "read " + seen.size());
                return "what was acknowledged stays so, what was released comes again";
            }
            default: throw new IllegalArgumentException(step);
        }
    }

    /** Acknowledges whatever it gets, in every way there is, and says what it has accepted; killed or stopped from outside. */
    static void work() throws Exception {
        Random random = new Random();
        try (var consumer = consumer("work", Map.of("share.acknowledgement.mode", "explicit", "max.poll.records", 50))) {
            consumer.subscribe(List.of("work"));
            while (System.in.available() == 0) {
                List<String> done = new ArrayList<>();
                List<ConsumerRecord<String, String>> renewed = new ArrayList<>();
                for (var record : consumer.poll(Duration.ofMillis(200))) {
                    int chance = record.deliveryCount().orElse((short) 1) > 2 ? 0 : random.nextInt(20);
                    if (chance == 19) renewed.add(record);
                    else {
                        consumer.acknowledge(record, chance > 15 ? AcknowledgeType.RELEASE
                            : chance == 15 ? AcknowledgeType.REJECT : AcknowledgeType.ACCEPT);
                        if (chance <= 15) done.add(record.value());
                    }
                }
                for (var record : renewed) consumer.acknowledge(record, AcknowledgeType.RENEW);
                commit(consumer, done);
                if (renewed.isEmpty()) continue;
                // Renewed records are handed out again, to be acknowledged for good.
                done.clear();
                for (var record : consumer.poll(Duration.ofMillis(200))) {
                    consumer.acknowledge(record, AcknowledgeType.ACCEPT);
                    done.add(record.value());
                }
                commit(consumer, done);
            }
        }
        System.out.println("closed");
    }

    /** What is tried may be done although nobody says so; what is done must never come again. */
    static void commit(KafkaShareConsumer<String, String> consumer, List<String> done) {
        if (!done.isEmpty()) System.out.println("trying " + String.join(" ", done));
        System.out.flush();
        boolean isWell;
        try {
            isWell = consumer.commitSync().values().stream().allMatch(Optional::isEmpty);
        } catch (KafkaException error) {
            isWell = false;
        }
        if (!done.isEmpty() && isWell) System.out.println("done " + String.join(" ", done));
        System.out.flush();
    }

    public static void main(String[] arguments) throws Exception {
        bootstrap = arguments[0];
        if (arguments[1].equals("work")) {
            work();
            System.exit(0);
        }
        try (Admin admin = Admin.create(connection())) {
            for (int i = 1; i < arguments.length; i++)
                System.out.println(arguments[i] + ": " + step(admin, arguments[i]));
        }
        System.exit(0);
    }
}
