// Producer snapshots and leader epoch checkpoints, written and read by Kafka's classes.
package records;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.OptionalLong;
import java.util.TreeMap;
import org.apache.kafka.storage.internals.checkpoint.LeaderEpochCheckpointFile;
import org.apache.kafka.storage.internals.log.BatchMetadata;
import org.apache.kafka.storage.internals.log.EpochEntry;
import org.apache.kafka.storage.internals.log.LogDirFailureChannel;
import org.apache.kafka.storage.internals.log.ProducerStateEntry;
import org.apache.kafka.storage.internals.log.ProducerStateManager;

final class States {
    static void write(Path folder) throws IOException {
        TreeMap<Long, ProducerStateEntry> entries = new TreeMap<>();
        snapshot(folder, "empty", entries);
        entries.put(5L, new ProducerStateEntry(5, (short) 3, 12, 1_700_000_000_000L, OptionalLong.of(77)));
        entries.put(6L, new ProducerStateEntry(6, (short) 0, -1, -1, OptionalLong.empty()));
        entries.put(1L << 40, new ProducerStateEntry(1L << 40, Short.MAX_VALUE, Integer.MAX_VALUE, Long.MAX_VALUE, OptionalLong.empty()));
        snapshot(folder, "some", entries);
        Path epochs = Files.createDirectories(folder.resolve("epochs"));
        checkpoint(epochs).write(List.of(new EpochEntry(0, 0), new EpochEntry(3, 1_234_567), new EpochEntry(9, 1L << 50)));
    }

    private static void snapshot(Path folder, String name, TreeMap<Long, ProducerStateEntry> entries) throws IOException {
        Path file = folder.resolve(name + ".snapshot");
        Files.deleteIfExists(file);
        ProducerStateManager.writeSnapshot(file.toFile(), entries, false);
    }

    static void describeSnapshot(Path file) throws IOException {
        List<ProducerStateEntry> entries = ProducerStateManager.readSnapshot(file.toFile());
        for (ProducerStateEntry entry : entries.stream().sorted(Comparator.comparing(ProducerStateEntry::producerId)).toList()) {
            StringBuilder text = new StringBuilder("producer " + entry.producerId() + " " + entry.producerEpoch() + " "
                + entry.coordinatorEpoch() + " " + entry.lastTimestamp() + " " + entry.currentTxnFirstOffset().orElse(-1));
            for (BatchMetadata batch : entry.batchMetadata()) {
                text.append(" batch ").append(batch.firstSeq()).append("..").append(batch.lastSeq());
                text.append(" ").append(batch.firstOffset()).append("..").append(batch.lastOffset());
                text.append(" ").append(batch.timestamp());
            }
            System.out.println(text);
        }
    }

    static void describeEpochs(Path folder) throws IOException {
        for (EpochEntry entry : checkpoint(folder).read()) {
            System.out.println("epoch " + entry.epoch() + " " + entry.startOffset());
        }
    }

    private static LeaderEpochCheckpointFile checkpoint(Path folder) throws IOException {
        File file = folder.resolve("leader-epoch-checkpoint").toFile();
        return new LeaderEpochCheckpointFile(file, new LogDirFailureChannel(1));
    }
}
