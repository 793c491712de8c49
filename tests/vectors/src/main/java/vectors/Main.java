// Writes Kafka's own encoding of every message and record it has a schema for, in every version, to one file.

package vectors;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedOutputStream;
import java.io.DataOutputStream;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeMap;
import java.util.jar.JarEntry;
import java.util.jar.JarFile;
import org.apache.kafka.common.errors.RetriableException;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.protocol.ApiMessage;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.MessageUtil;
import org.apache.kafka.common.protocol.ObjectSerializationCache;
import org.apache.kafka.metadata.MetadataRecordSerde;
import org.apache.kafka.server.common.ApiMessageAndVersion;

public final class Main {
    private static final List<Class<?>> ONE_CLASS_OF_EACH_JAR = List.of(
        org.apache.kafka.common.message.FetchRequestData.class,
        org.apache.kafka.common.metadata.TopicRecord.class,
        org.apache.kafka.coordinator.group.generated.OffsetCommitKey.class,
        org.apache.kafka.coordinator.transaction.generated.TransactionLogKey.class,
        org.apache.kafka.coordinator.share.generated.ShareUpdateKey.class,
        org.apache.kafka.raft.generated.QuorumStateData.class,
        org.apache.kafka.server.log.remote.metadata.storage.generated.ProducerSnapshot.class);
    private static final int DEFAULT = 0;
    private static final int MINIMAL = 1;
    private static final int RICH = 2;
    private static final int FRAMED = 3;

    private final DataOutputStream out;
    private int count = 0;

    private Main(DataOutputStream out) {
        this.out = out;
    }

    public static void main(String[] arguments) throws Exception {
        Path folder = Path.of(arguments[0]);
        Files.createDirectories(folder);
        Path unfinished = folder.resolve("messages.bin.part");
        int schemas = 0;
        try (DataOutputStream out = new DataOutputStream(new BufferedOutputStream(Files.newOutputStream(unfinished)))) {
            Main main = new Main(out);
            for (Schema schema : readSchemas().values()) {
                main.write(schema);
                schemas++;
            }
            System.out.println(schemas + " schemas, " + main.count + " vectors");
        }
        writeFacts(folder.resolve("facts.txt"));
        Files.move(unfinished, folder.resolve("messages.bin"), StandardCopyOption.REPLACE_EXISTING);
    }

    private record Schema(JsonNode json, Class<?> type) { }

    /** Every schema in Kafka's jars, with the class that Kafka generated from it. */
    private static TreeMap<String, Schema> readSchemas() throws Exception {
        ObjectMapper mapper = new ObjectMapper();
        mapper.configure(JsonParser.Feature.ALLOW_COMMENTS, true);
        TreeMap<String, Schema> schemas = new TreeMap<>();
        for (Class<?> inside : ONE_CLASS_OF_EACH_JAR) {
            File path = new File(inside.getProtectionDomain().getCodeSource().getLocation().toURI());
            try (JarFile jar = new JarFile(path)) {
                for (JarEntry entry : jar.stream().filter(e -> e.getName().endsWith(".json")).toList()) {
                    JsonNode json = read(mapper, jar, entry);
                    if (json.has("validVersions") && !json.get("validVersions").asText().equals("none")) {
                        schemas.put(json.get("name").asText(), new Schema(json, classOf(jar, json)));
                    }
                }
            }
        }
        return schemas;
    }

    private static JsonNode read(ObjectMapper mapper, JarFile jar, JarEntry entry) throws IOException {
        try (InputStream in = jar.getInputStream(entry)) {
            return mapper.readTree(in);
        }
    }

    private static Class<?> classOf(JarFile jar, JsonNode json) throws ClassNotFoundException {
        String kind = json.get("type").asText();
        boolean isData = kind.equals("request") || kind.equals("response") || kind.equals("header");
        String file = "/" + json.get("name").asText() + (isData ? "Data" : "") + ".class";
        for (JarEntry entry : jar.stream().filter(e -> e.getName().endsWith(file)).toList()) {
            Class<?> found = Class.forName(entry.getName().replace(".class", "").replace('/', '.'));
            if (Message.class.isAssignableFrom(found)) {
                return found;
            }
        }
        throw new IllegalStateException("no class for " + json.get("name"));
    }

    private void write(Schema schema) throws Exception {
        Versions valid = Versions.parse(schema.json.get("validVersions").asText());
        for (int version = valid.first(); version <= valid.last(); version++) {
            for (int kind = DEFAULT; kind <= RICH; kind++) {
                Message message = value(schema, version, kind);
                write(schema, version, kind, encode(message, (short) version));
            }
            byte[] framed = frame(schema, value(schema, version, RICH), (short) version);
            if (framed != null) {
                write(schema, version, FRAMED, framed);
            }
        }
    }

    private Message value(Schema schema, int version, int kind) throws Exception {
        Message message = (Message) schema.type.getDeclaredConstructor().newInstance();
        if (kind != DEFAULT) {
            new Filler(schema.json, version, kind == RICH).fill(message, schema.json.get("fields"));
        }
        return message;
    }

    /** Null when Kafka refuses to write the value, as it does with the nulls some schemas have as default. */
    private static byte[] encode(Message message, short version) {
        try {
            ByteBuffer buffer = MessageUtil.toByteBufferAccessor(message, version).buffer();
            byte[] bytes = new byte[buffer.remaining()];
            buffer.get(bytes);
            return bytes;
        } catch (NullPointerException refused) {
            return null;
        }
    }

    /** The bytes as they stand in a log, with what precedes the fields there; null where nothing does. */
    private static byte[] frame(Schema schema, Message message, short version) {
        switch (schema.json.get("type").asText()) {
            case "coordinator-key":
                return MessageUtil.toCoordinatorTypePrefixedBytes((ApiMessage) message);
            case "coordinator-value":
                return MessageUtil.toVersionPrefixedBytes(version, message);
            case "metadata":
                if (!schema.type.getPackageName().equals("org.apache.kafka.common.metadata")) {
                    return null;
                }
                ApiMessageAndVersion record = new ApiMessageAndVersion((ApiMessage) message, version);
                ObjectSerializationCache cache = new ObjectSerializationCache();
                byte[] bytes = new byte[MetadataRecordSerde.INSTANCE.recordSize(record, cache)];
                MetadataRecordSerde.INSTANCE.write(record, cache, new ByteBufferAccessor(ByteBuffer.wrap(bytes)));
                return bytes;
            default:
                return null;
        }
    }

    private void write(Schema schema, int version, int kind, byte[] bytes) throws IOException {
        byte[] name = schema.json.get("name").asText().getBytes(StandardCharsets.UTF_8);
        out.writeShort(name.length);
        out.write(name);
        out.writeShort(version);
        out.writeByte(kind);
        out.writeInt(bytes == null ? -1 : bytes.length);
        if (bytes != null) {
            out.write(bytes);
        }
        count++;
    }

    /** Error codes and API keys, one a line, for the tables that are not messages. */
    private static void writeFacts(Path path) throws IOException {
        try (PrintStream out = new PrintStream(Files.newOutputStream(path))) {
            for (Errors error : Errors.values()) {
                boolean retriable = error.exception() instanceof RetriableException;
                out.println("error " + error.code() + " " + error.name() + " " + retriable);
            }
            for (ApiKeys api : ApiKeys.values()) {
                for (short v = api.messageType.lowestSupportedVersion(); v <= api.messageType.highestSupportedVersion(true); v++) {
                    out.println("api " + api.id + " " + api.name + " " + v + " "
                        + api.messageType.requestHeaderVersion(v) + " " + api.messageType.responseHeaderVersion(v) + " "
                        + (v <= api.messageType.highestSupportedVersion(false)));
                }
            }
        }
    }
}
