// Members of both group protocols come, go, die and return in one group.
import java.time.Duration;
import java.util.*;
import java.util.function.BooleanSupplier;
import java.util.regex.Pattern;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.*;
import org.apache.kafka.common.serialization.*;

/** Every wait is bounded. */
public class ConsumerGroups {
    static final String GROUP = "readers";
    static final int RECORDS = 600;
    static String bootstrap;
    static final Map<String, KafkaConsumer<String, String>> members = new LinkedHashMap<>();
    static final Set<String> read = new HashSet<>();

    public static void main(String[] arguments) throws Exception {
        bootstrap = arguments[0];
        if (arguments.length > 1) {
            onlyMember();
            return;
        }
        try (Admin admin = Admin.create(Map.<String, Object>of("bootstrap.servers", bootstrap))) {
            admin.createTopics(List.of(new NewTopic("one", 6, (short) 1), new NewTopic("two", 3, (short) 1))).all().get();
            produce();
            twoShare(admin);
            oneDies(admin);
            staticMemberReturns(admin);
            regexFindsNewTopics(admin);
            bothProtocols(admin);
        }
        System.out.println("done");
    }

    static Properties settings(String name, String protocol) {
        Properties settings = new Properties();
        settings.put("bootstrap.servers", bootstrap);
        settings.put("group.id", GROUP);
        settings.put("client.id", name);
        settings.put("group.protocol", protocol);
        settings.put("auto.offset.reset", "earliest");
        settings.put("enable.auto.commit", "false");
        settings.put("key.deserializer", StringDeserializer.class.getName());
        settings.put("value.deserializer", StringDeserializer.class.getName());
        if (protocol.equals("classic")) {
            settings.put("session.timeout.ms", "6000");
            settings.put("heartbeat.interval.ms", "500");
        }
        return settings;
    }

    static KafkaConsumer<String, String> add(String name, String protocol, String... more) {
        Properties settings = settings(name, protocol);
        for (int i = 0; i < more.length; i += 2) settings.put(more[i], more[i + 1]);
        KafkaConsumer<String, String> consumer = new KafkaConsumer<>(settings);
        members.put(name, consumer);
        return consumer;
    }

    static void produce() throws Exception {
        Map<String, Object> settings = Map.of("bootstrap.servers", bootstrap);
        try (Producer<String, String> producer = new KafkaProducer<>(settings, new StringSerializer(), new StringSerializer())) {
            for (int i = 0; i < RECORDS; i++) producer.send(new ProducerRecord<>("one", "k" + i, "v" + i));
        }
    }

    static void until(String what, BooleanSupplier holds) {
        long start = System.nanoTime();
        while (!holds.getAsBoolean()) {
            if (System.nanoTime() - start > 90_000_000_000L) {
                members.forEach((name, member) -> System.out.println(name + " " + member.assignment()));
                throw new IllegalStateException("not within 90 s: " + what);
            }
            for (KafkaConsumer<String, String> member : members.values())
                for (ConsumerRecord<String, String> record : member.poll(Duration.ofMillis(20))) read.add(record.key());
        }
        System.out.println("ok " + what + " " + (System.nanoTime() - start) / 1_000_000 + " ms");
    }

    /** Sizes of the members' assignments, sorted, if no partition is assigned twice. */
    static String sizes() {
        List<Integer> sizes = new ArrayList<>();
        Set<TopicPartition> all = new HashSet<>();
        for (KafkaConsumer<String, String> member : members.values()) {
            sizes.add(member.assignment().size());
            for (TopicPartition partition : member.assignment()) if (!all.add(partition)) return "twice " + partition;
        }
        Collections.sort(sizes);
        return sizes.toString();
    }

    static ConsumerGroupDescription describe(Admin admin) {
        try {
            return admin.describeConsumerGroups(List.of(GROUP)).all().get().get(GROUP);
        } catch (Exception error) {
            throw new IllegalStateException(error);
        }
    }

    static void twoShare(Admin admin) {
        add("a", "consumer").subscribe(List.of("one"));
        until("one member has everything", () -> sizes().equals("[6]"));
        until("everything is read", () -> read.size() == RECORDS);
        members.get("a").commitSync();
        add("b", "consumer").subscribe(List.of("one"));
        until("two members share", () -> sizes().equals("[3, 3]"));
        long committed = 0;
        try {
            for (OffsetAndMetadata offset : admin.listConsumerGroupOffsets(GROUP).partitionsToOffsetAndMetadata().get().values())
                committed += offset.offset();
        } catch (Exception error) {
            throw new IllegalStateException(error);
        }
        check(committed == RECORDS, "committed " + committed);
        ConsumerGroupDescription description = describe(admin);
        check(description.type() == GroupType.CONSUMER && description.groupState() == GroupState.STABLE, "" + description);
    }

    /** A member in a process of its own, which is killed. */
    static void oneDies(Admin admin) throws Exception {
        String java = ProcessHandle.current().info().command().orElse("java");
        ProcessBuilder builder = new ProcessBuilder(java, "-Dorg.slf4j.simpleLogger.defaultLogLevel=error", "-cp", System.getProperty("java.class.path"),
            System.getProperty("program"), bootstrap, "member");
        Process process = builder.redirectError(ProcessBuilder.Redirect.INHERIT).start();
        until("a third member joins", () -> sizes().equals("[2, 2]"));
        process.destroyForcibly().waitFor();
        until("a killed member is given up", () -> sizes().equals("[3, 3]"));
    }

    static void onlyMember() {
        try (KafkaConsumer<String, String> consumer = new KafkaConsumer<>(settings("c", "consumer"))) {
            consumer.subscribe(List.of("one"));
            while (true) consumer.poll(Duration.ofMillis(100));
        }
    }

    static void staticMemberReturns(Admin admin) {
        members.remove("b").close();
        add("s", "consumer", "group.instance.id", "static").subscribe(List.of("one"));
        until("a static member joins", () -> sizes().equals("[3, 3]"));
        Set<TopicPartition> before = Set.copyOf(members.get("s").assignment());
        int epoch = describe(admin).groupEpoch().get();
        members.remove("s").close();
        add("s2", "consumer", "group.instance.id", "static").subscribe(List.of("one"));
        until("a static member returns", () -> members.get("s2").assignment().equals(before));
        check(describe(admin).groupEpoch().get() == epoch, "a return is no rebalance");
        check(members.get("a").assignment().size() == 3, "the other member keeps what it has");
    }

    static void regexFindsNewTopics(Admin admin) throws Exception {
        members.get("a").unsubscribe();
        members.get("a").subscribe(new SubscriptionPattern("tw.*|th.*|one"));
        until("a regular expression finds topics", () -> sizes().equals("[3, 6]") || sizes().equals("[4, 5]"));
        admin.createTopics(List.of(new NewTopic("three", 3, (short) 1))).all().get();
        until("a regular expression finds a new topic",
            () -> members.values().stream().mapToInt(member -> member.assignment().size()).sum() == 12);
        try (KafkaConsumer<String, String> wrong = new KafkaConsumer<>(settings("w", "consumer"))) {
            wrong.subscribe(new SubscriptionPattern("["));
            for (int i = 0; i < 200; i++) wrong.poll(Duration.ofMillis(50));
            throw new IllegalStateException("a wrong expression is accepted");
        } catch (KafkaException error) {
            check(error.getMessage().contains("missing closing ]"), error.toString());
        }
        members.get("a").unsubscribe();
        members.get("a").subscribe(List.of("one"));
        until("names again", () -> sizes().equals("[3, 3]"));
    }

    static void bothProtocols(Admin admin) {
        add("old", "classic").subscribe(List.of("one"));
        until("a classic member joins a consumer group", () -> sizes().equals("[2, 2, 2]"));
        check(describe(admin).type() == GroupType.CONSUMER, "still a consumer group");
        members.remove("a").close();
        members.remove("s2").unsubscribe();
        try (Admin second = Admin.create(Map.<String, Object>of("bootstrap.servers", bootstrap))) {
            second.removeMembersFromConsumerGroup(GROUP,
                new RemoveMembersFromConsumerGroupOptions(List.of(new MemberToRemove("static")))).all().get();
        } catch (Exception error) {
            throw new IllegalStateException(error);
        }
        until("the classic member is alone", () -> sizes().equals("[6]"));
        check(describe(admin).type() == GroupType.CLASSIC, "a classic group again: " + describe(admin));
        add("new", "consumer").subscribe(List.of("one"));
        until("a consumer member joins a classic group", () -> sizes().equals("[3, 3]"));
        check(describe(admin).type() == GroupType.CONSUMER, "upgraded");
        members.remove("old").close();
        until("the classic member has gone", () -> sizes().equals("[6]"));
        members.remove("new").close();
    }

    static void check(boolean holds, String what) {
        if (!holds) throw new IllegalStateException(what);
    }
}
