// A partition's producer state, as Kafka keeps it while batches and markers are appended.
package records;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.record.internal.ControlRecordType;
import org.apache.kafka.common.record.internal.EndTransactionMarker;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.record.internal.RecordBatch;
import org.apache.kafka.common.record.internal.SimpleRecord;
import org.apache.kafka.common.utils.Time;
import org.apache.kafka.storage.internals.log.AppendOrigin;
import org.apache.kafka.storage.internals.log.BatchMetadata;
import org.apache.kafka.storage.internals.log.CompletedTxn;
import org.apache.kafka.storage.internals.log.Duplicates;
import org.apache.kafka.storage.internals.log.LogOffsetMetadata;
import org.apache.kafka.storage.internals.log.ProducerAppendInfo;
import org.apache.kafka.storage.internals.log.ProducerStateManager;
import org.apache.kafka.storage.internals.log.ProducerStateManagerConfig;
import org.apache.kafka.storage.internals.log.UnifiedLog;

/**
 * Appends to a partition's producer state, one on each line of a file:
 * origin, producer, epoch, sequence, records, kind (data, transactional, commit, abort), coordinator epoch,
 * transaction version, base offset, high watermark afterwards.
 */
final class Producers {
    static void run(Path file) throws IOException {
        Path folder = Files.createTempDirectory("producers");
        ProducerStateManager states = new ProducerStateManager(new TopicPartition("t", 0), folder.toFile(), 60_000,
            new ProducerStateManagerConfig(86_400_000, false), Time.SYSTEM);
        StringBuilder answers = new StringBuilder();
        for (String line : Files.readAllLines(file)) {
            String[] words = line.split(" ");
            try {
                answers.append(append(states, words));
            } catch (RuntimeException e) {
                answers.append(Errors.forException(e).name());
            }
            states.onHighWatermarkUpdated(Long.parseLong(words[9]));
            answers.append(" unstable ");
            answers.append(states.firstUnstableOffset().map(offset -> offset.messageOffset).orElse(-1L)).append('\n');
        }
        System.out.print(answers);
        Path snapshot = Files.createTempFile("producers", ".snapshot");
        ProducerStateManager.writeSnapshot(snapshot.toFile(), states.activeProducers(), false);
        States.describeSnapshot(snapshot);
    }

    private static String append(ProducerStateManager states, String[] words) {
        AppendOrigin origin = AppendOrigin.valueOf(words[0]);
        RecordBatch batch = batch(words).batches().iterator().next();
        if (origin == AppendOrigin.CLIENT) {
            Optional<BatchMetadata> duplicate = Duplicates.find(states, batch);
            if (duplicate.isPresent()) {
                return "duplicate " + duplicate.get().firstOffset() + ".." + duplicate.get().lastOffset() + " " + duplicate.get().timestamp();
            }
        }
        Map<Long, ProducerAppendInfo> updates = new HashMap<>();
        Optional<CompletedTxn> completed = UnifiedLog.updateProducers(states, batch, updates,
            Optional.of(new LogOffsetMetadata(batch.baseOffset())), origin, Short.parseShort(words[7]));
        updates.values().forEach(states::update);
        if (completed.isEmpty()) {
            return "ok";
        }
        long lastStableOffset = states.lastStableOffset(completed.get());
        states.completeTxn(completed.get());
        return "ok completed " + completed.get().firstOffset() + ".." + completed.get().lastOffset() + " "
            + completed.get().isAborted() + " " + lastStableOffset;
    }

    private static MemoryRecords batch(String[] words) {
        long producerId = Long.parseLong(words[1]);
        short epoch = Short.parseShort(words[2]);
        long baseOffset = Long.parseLong(words[8]);
        if (words[5].equals("commit") || words[5].equals("abort")) {
            ControlRecordType type = words[5].equals("commit") ? ControlRecordType.COMMIT : ControlRecordType.ABORT;
            return MemoryRecords.withEndTransactionMarker(baseOffset, baseOffset, 0, producerId, epoch,
                new EndTransactionMarker(type, Integer.parseInt(words[6])));
        }
        SimpleRecord[] records = new SimpleRecord[Integer.parseInt(words[4])];
        for (int index = 0; index < records.length; index++) {
            records[index] = new SimpleRecord(baseOffset, null, new byte[0]);
        }
        return MemoryRecords.withRecords((byte) 2, baseOffset, Compression.NONE, TimestampType.CREATE_TIME, producerId, epoch,
            Integer.parseInt(words[3]), 0, words[5].equals("transactional"), records);
    }
}
