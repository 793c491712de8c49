// Writes Apache Kafka's configuration keys, a line each, for the comparison with our tables.
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;
import org.apache.kafka.common.config.ConfigDef;
import org.apache.kafka.common.config.ConfigDef.ConfigKey;
import org.apache.kafka.coordinator.group.GroupConfig;
import org.apache.kafka.server.config.AbstractKafkaConfig;
import org.apache.kafka.server.config.DynamicBrokerConfig;
import org.apache.kafka.server.config.QuotaConfig;
import org.apache.kafka.server.config.ServerTopicConfigSynonyms;
import org.apache.kafka.server.metrics.ClientMetricsConfigs;
import org.apache.kafka.storage.internals.log.LogConfig;

public final class ConfigTables {
    private static final Map<String, String> UPDATE_MODES = DynamicBrokerConfig.dynamicConfigUpdateModes();

    public static void main(String[] arguments) throws Exception {
        Path file = Path.of(arguments[0]);
        try (PrintWriter out = new PrintWriter(file.toFile(), "UTF-8")) {
            out.println("# scope|name|type|default|importance|update mode|visibility|valid values|synonyms");
            write(out, "broker", AbstractKafkaConfig.CONFIG_DEF);
            write(out, "broker-dynamic", QuotaConfig.brokerQuotaConfigs());
            write(out, "topic", LogConfig.configDefCopy());
            write(out, "group", GroupConfig.CONFIG_DEF);
            write(out, "client-metrics", ClientMetricsConfigs.configDef());
        }
        System.out.println("wrote " + file);
    }

    private static void write(PrintWriter out, String scope, ConfigDef keys) {
        for (ConfigKey key : new TreeMap<>(keys.configKeys()).values()) {
            String valid = key.validator == null ? "" : key.validator.toString().replaceAll("\\s+", " ");
            out.println(String.join("|", scope, key.name, key.type.name(), defaultOf(key), key.importance.name(),
                scope.startsWith("broker") ? UPDATE_MODES.getOrDefault(key.name, "read-only") : "",
                key.internalConfig ? "internal" : "public", valid, synonyms(scope, key.name)));
        }
    }

    private static String defaultOf(ConfigKey key) {
        if (key.defaultValue == ConfigDef.NO_DEFAULT_VALUE) return "<required>";
        if (key.defaultValue == null) return "<null>";
        return ConfigDef.convertToString(key.defaultValue, key.type);
    }

    /** The broker's keys behind a topic's or group's, and what each makes of 1. */
    private static String synonyms(String scope, String name) {
        if (scope.equals("group")) return GroupConfig.brokerSynonym(name).map(other -> other + "=1").orElse("");
        if (!scope.equals("topic")) return "";
        StringBuilder text = new StringBuilder();
        for (var synonym : ServerTopicConfigSynonyms.ALL_TOPIC_CONFIG_SYNONYMS.getOrDefault(name, java.util.List.of()))
            text.append(text.isEmpty() ? "" : " ").append(synonym.name()).append('=').append(synonym.converter().apply("1"));
        return text.toString();
    }
}
