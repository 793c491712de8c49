// Fills Kafka's generated classes by their schema with values that depend only on the order of the fields.
//
// The same rule stands in crates/protocol/tests/messages/fixed_values.rs: the two must not differ.

package vectors;

import com.fasterxml.jackson.databind.JsonNode;
import java.lang.reflect.Method;
import java.lang.reflect.ParameterizedType;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.types.RawTaggedField;
import org.apache.kafka.common.record.internal.MemoryRecords;

final class Filler {
    private static final int RECORDS_LENGTH = 2500;

    private final JsonNode schema;
    private final int version;
    private final boolean rich;
    private int counter = 0;

    Filler(JsonNode schema, int version, boolean rich) {
        this.schema = schema;
        this.version = version;
        this.rich = rich;
    }

    void fill(Object struct, JsonNode fields) throws Exception {
        Set<Integer> tags = new HashSet<>();
        for (JsonNode field : fields) {
            if (field.has("tag")) {
                tags.add(field.get("tag").asInt());
            }
            String versions = field.has("versions") ? field.get("versions").asText() : field.get("taggedVersions").asText();
            if (Versions.parse(versions).contains(version)) {
                Method setter = setter(struct, field.get("name").asText());
                setter.invoke(struct, value(field, field.get("type").asText(), setter));
            }
        }
        if (Versions.parse(schema.get("flexibleVersions").asText()).contains(version) && rich) {
            List<RawTaggedField> unknown = ((Message) struct).unknownTaggedFields();
            int free = 0;
            while (tags.contains(free)) {
                free++;
            }
            unknown.add(new RawTaggedField(free, bytes()));
            unknown.add(new RawTaggedField(1000, bytes()));
        }
    }

    private static Method setter(Object struct, String field) {
        String name = "set" + field.substring(0, 1).toUpperCase() + field.substring(1);
        for (Method method : struct.getClass().getMethods()) {
            if (method.getName().equals(name)) {
                return method;
            }
        }
        throw new IllegalStateException(struct.getClass() + " has no " + name);
    }

    private Object value(JsonNode field, String type, Method setter) throws Exception {
        boolean nullable = field.has("nullableVersions")
            && Versions.parse(field.get("nullableVersions").asText()).contains(version);
        if (nullable && !rich) {
            return null;
        }
        Class<?> wanted = setter.getParameterTypes()[0];
        if (!type.startsWith("[]")) {
            return single(field, type, wanted);
        }
        @SuppressWarnings("unchecked")
        Collection<Object> collection = wanted.isAssignableFrom(ArrayList.class)
            ? new ArrayList<>()
            : (Collection<Object>) wanted.getDeclaredConstructor().newInstance();
        for (int i = 0; i < (rich ? 2 : 0); i++) {
            if (!collection.add(single(field, type.substring(2), elementType(setter, wanted)))) {
                throw new IllegalStateException("the elements of " + field.get("name") + " are equal");
            }
        }
        return collection;
    }

    private static Class<?> elementType(Method setter, Class<?> wanted) {
        if (setter.getGenericParameterTypes()[0] instanceof ParameterizedType list) {
            return (Class<?>) list.getActualTypeArguments()[0];
        }
        return (Class<?>) ((ParameterizedType) wanted.getGenericSuperclass()).getActualTypeArguments()[0];
    }

    private Object single(JsonNode field, String type, Class<?> wanted) throws Exception {
        if (!Character.isUpperCase(type.charAt(0))) {
            return plain(type, wanted);
        }
        Object struct = wanted.getDeclaredConstructor().newInstance();
        fill(struct, field.has("fields") ? field.get("fields") : shared(type));
        return struct;
    }

    private JsonNode shared(String name) {
        for (JsonNode struct : schema.get("commonStructs")) {
            if (struct.get("name").asText().equals(name)) {
                return struct.get("fields");
            }
        }
        throw new IllegalStateException("no struct " + name);
    }

    private Object plain(String type, Class<?> wanted) {
        if (type.equals("bytes")) {
            return wanted == ByteBuffer.class ? ByteBuffer.wrap(bytes()) : bytes();
        }
        int n = rich ? ++counter : 0;
        switch (type) {
            case "bool": return n % 2 == 1;
            case "int8": return (byte) (rich ? n % 127 + 1 : 0);
            case "int16": return (short) (rich ? (n * 7 + 300) % 32768 : 0);
            case "uint16": return rich ? (n * 7 + 40000) % 65536 : 0;
            case "int32": return rich ? n * 100003 + 70000 : 0;
            case "uint32": return rich ? 3000000000L + n : 0L;
            case "int64": return rich ? n * 10000000019L + (1L << 40) : 0L;
            case "float64": return rich ? n + 0.5 : 0.0;
            case "uuid": return rich ? new Uuid(n + (1L << 50), n * 31L) : Uuid.ZERO_UUID;
            case "string": return rich ? "s" + n + "-\u00fc" : "";
            case "records": {
                byte[] bytes = new byte[rich ? RECORDS_LENGTH : 0];
                for (int i = 0; i < bytes.length; i++) {
                    bytes[i] = (byte) (i + n);
                }
                return MemoryRecords.readableRecords(ByteBuffer.wrap(bytes));
            }
            default: throw new IllegalStateException("unknown type " + type);
        }
    }

    private byte[] bytes() {
        if (!rich) {
            return new byte[0];
        }
        int n = ++counter;
        return new byte[] {(byte) n, (byte) (n >> 8), (byte) 0xff};
    }
}
