// The word count with Kafka Streams, exactly once: one instance of it, and a watcher that sends lines and checks the counts.
// Arguments: bootstrap servers, then "instance", protocol, state folder; or "watch". The watcher obeys lines of its input.

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.time.Duration;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Random;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.LongDeserializer;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.state.KeyValueStore;

public class WordCount {
    private static final int PARTITIONS = 4;
    private static final int WORDS = 200;

    public static void main(String[] arguments) throws Exception {
        if (arguments[1].equals("instance")) instance(arguments[0], arguments[2], arguments[3]);
        else new Watcher(arguments[0]).obey();
    }

    /** No cache: every word gives a count of its own, so that the counts of a word are 1, 2, 3 and so on, each once. */
    private static void instance(String bootstrap, String protocol, String folder) throws Exception {
        Properties settings = new Properties();
        settings.put("application.id", "word-count");
        settings.put("bootstrap.servers", bootstrap);
        settings.put("group.protocol", protocol);
        settings.put("processing.guarantee", "exactly_once_v2");
        settings.put("state.dir", folder);
        settings.put("statestore.cache.max.bytes", "0");
        settings.put("commit.interval.ms", "100");
        settings.put("replication.factor", "1");
        settings.put("default.key.serde", Serdes.StringSerde.class.getName());
        settings.put("default.value.serde", Serdes.StringSerde.class.getName());
        settings.put("consumer.auto.offset.reset", "earliest");
        settings.put("producer.transaction.timeout.ms", "3000");
        settings.put("producer.delivery.timeout.ms", "2900");
        settings.put("producer.request.timeout.ms", "2000");
        settings.put("producer.linger.ms", "5");
        if (protocol.equals("classic")) {
            settings.put("main.consumer.session.timeout.ms", "6000");
            settings.put("main.consumer.heartbeat.interval.ms", "500");
        }
        StreamsBuilder builder = new StreamsBuilder();
        KStream<String, String> lines = builder.stream("lines");
        lines.flatMapValues(line -> Arrays.asList(line.split(" ")))
            .groupBy((key, word) -> word, Grouped.as("words"))
            .count(Materialized.<String, Long, KeyValueStore<Bytes, byte[]>>as("counts").withValueSerde(Serdes.Long()))
            .toStream()
            .to("counts", Produced.with(Serdes.String(), Serdes.Long()));
        KafkaStreams streams = new KafkaStreams(builder.build(), settings);
        streams.setUncaughtExceptionHandler(error -> {
            System.out.println("failed: " + error);
            return org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse.REPLACE_THREAD;
        });
        streams.start();
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in));
        long told = -1;
        while (!input.ready()) {
            long tasks = streams.state() == KafkaStreams.State.RUNNING
                ? streams.metadataForLocalThreads().stream().mapToLong(thread -> thread.activeTasks().size()).sum() : 0;
            if (tasks != told) System.out.println("tasks " + tasks);
            told = tasks;
            Thread.sleep(50);
        }
        System.out.println(streams.close(Duration.ofSeconds(20)) ? "closed" : "not closed");
        System.exit(0);
    }

    /** Knows what the counts must be. */
    private static class Watcher {
        private final Random random = new Random(7);
        private final Map<String, Long> expected = new HashMap<>();
        private final Map<String, Long> found = new HashMap<>();
        private final KafkaProducer<String, String> producer;
        private final KafkaConsumer<String, Long> consumer;
        private long sent;
        private long read;

        Watcher(String bootstrap) throws Exception {
            try (Admin admin = Admin.create(Map.of("bootstrap.servers", bootstrap))) {
                List<NewTopic> topics = List.of(new NewTopic("lines", PARTITIONS, (short) 1), new NewTopic("counts", PARTITIONS, (short) 1));
                admin.createTopics(topics).all().get();
            }
            Map<String, Object> settings = Map.of("bootstrap.servers", bootstrap, "linger.ms", 20);
            producer = new KafkaProducer<>(settings, new StringSerializer(), new StringSerializer());
            Map<String, Object> reading = Map.of("bootstrap.servers", bootstrap, "isolation.level", "read_committed");
            consumer = new KafkaConsumer<>(reading, new StringDeserializer(), new LongDeserializer());
            List<TopicPartition> all = new java.util.ArrayList<>();
            for (int partition = 0; partition < PARTITIONS; partition++) all.add(new TopicPartition("counts", partition));
            consumer.assign(all);
            consumer.seekToBeginning(all);
        }

        /** "send LINES", "read PERCENT", "end": each is answered with a line. */
        void obey() throws Exception {
            System.out.println("ready");
            BufferedReader input = new BufferedReader(new InputStreamReader(System.in));
            for (String line = input.readLine(); line != null; line = input.readLine()) {
                String[] words = line.split(" ");
                if (words[0].equals("send")) send(Integer.parseInt(words[1]));
                else if (words[0].equals("read")) read(sent * Integer.parseInt(words[1]) / 100);
                else end();
            }
        }

        private void send(int lines) {
            for (int line = 0; line < lines; line++) {
                StringBuilder text = new StringBuilder();
                for (int word = 0; word < 5; word++) {
                    String chosen = "w" + (int) (Math.abs(random.nextGaussian()) * WORDS / 3);
                    expected.merge(chosen, 1L, Long::sum);
                    text.append(word == 0 ? "" : " ").append(chosen);
                    sent++;
                }
                producer.send(new ProducerRecord<>("lines", "k" + line, text.toString()));
            }
            producer.flush();
            System.out.println("sent " + sent);
        }

        private void read(long count) {
            long end = System.nanoTime() + 60_000_000_000L;
            while (read < count && System.nanoTime() < end) readSome();
            System.out.println(read >= count ? "read " + read : "failed: " + read + " of " + count + " counts after 60 s");
        }

        private void readSome() {
            for (ConsumerRecord<String, Long> record : consumer.poll(Duration.ofMillis(100))) {
                long before = found.getOrDefault(record.key(), 0L);
                if (record.value() != before + 1) System.out.println("failed: " + record + " after " + before);
                found.put(record.key(), record.value());
                read++;
            }
        }

        private void end() {
            read(sent);
            for (int more = 0; more < 5; more++) readSome();
            System.out.println(found.equals(expected) ? "exact " + sent + " words" : "failed: " + found + " is not " + expected);
        }
    }
}
