// Batches written and read by Kafka's classes.
package records;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.message.KRaftVersionRecord;
import org.apache.kafka.common.message.LeaderChangeMessage;
import org.apache.kafka.common.message.SnapshotFooterRecord;
import org.apache.kafka.common.message.SnapshotHeaderRecord;
import org.apache.kafka.common.message.VotersRecord;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.record.internal.CompressionType;
import org.apache.kafka.common.record.internal.ControlRecordType;
import org.apache.kafka.common.record.internal.DefaultRecordBatch;
import org.apache.kafka.common.record.internal.EndTransactionMarker;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.record.internal.MemoryRecordsBuilder;
import org.apache.kafka.common.record.internal.MutableRecordBatch;
import org.apache.kafka.common.utils.internals.ByteBufferOutputStream;

final class Batches {
    private static final Header[] NO_HEADERS = {};

    static void write(Path folder) throws IOException {
        Files.createDirectories(folder);
        for (CompressionType codec : CompressionType.values()) {
            writeCodec(folder, codec.name, Compression.of(codec).build());
        }
        writeCodec(folder, "gzip-1", Compression.gzip().level(1).build());
        writeCodec(folder, "lz4-17", Compression.lz4().level(17).build());
        writeCodec(folder, "zstd-22", Compression.zstd().level(22).build());
        writeControl(folder);
    }

    private static void writeCodec(Path folder, String name, Compression compression) throws IOException {
        save(folder, name + "-headers", withHeaders(builder(compression, TimestampType.CREATE_TIME, 10, -1, (short) -1, -1, false, -1)));
        save(folder, name + "-append-time", withHeaders(builder(compression, TimestampType.LOG_APPEND_TIME, 0, -1, (short) -1, -1, false, -1)));
        save(folder, name + "-transactional", withHeaders(builder(compression, TimestampType.CREATE_TIME, 1L << 40, 77, (short) 3, Integer.MAX_VALUE - 1, true, -1)));
        save(folder, name + "-delete-horizon", withHeaders(builder(compression, TimestampType.CREATE_TIME, 5, -1, (short) -1, -1, false, 1_500_000_000_000L)));
        save(folder, name + "-large", large(builder(compression, TimestampType.CREATE_TIME, 0, 7, (short) 0, 0, false, -1)));
        MemoryRecordsBuilder gaps = builder(compression, TimestampType.CREATE_TIME, 100, -1, (short) -1, -1, false, -1);
        gaps.appendWithOffset(103, 1_000L, bytes("a"), bytes("1"), NO_HEADERS);
        gaps.appendWithOffset(250, 900L, null, bytes(""), NO_HEADERS);
        save(folder, name + "-gaps", gaps);
    }

    private static MemoryRecordsBuilder builder(Compression compression, TimestampType timestampType, long baseOffset,
            long producerId, short producerEpoch, int sequence, boolean transactional, long deleteHorizonMs) {
        return new MemoryRecordsBuilder(new ByteBufferOutputStream(1024), (byte) 2, compression, timestampType, baseOffset,
            1_700_000_000_000L, producerId, producerEpoch, sequence, transactional, false, 42, Integer.MAX_VALUE, deleteHorizonMs);
    }

    private static MemoryRecordsBuilder withHeaders(MemoryRecordsBuilder builder) {
        builder.append(1_600_000_000_000L, bytes("key"), bytes("value"), NO_HEADERS);
        builder.append(1_600_000_000_500L, (byte[]) null, (byte[]) null, new Header[] {new RecordHeader("one", bytes("1"))});
        builder.append(1_599_999_999_000L, bytes(""), bytes(""),
            new Header[] {new RecordHeader("", null), new RecordHeader("ключ", bytes("")), new RecordHeader("one", new byte[300])});
        return builder;
    }

    private static MemoryRecordsBuilder large(MemoryRecordsBuilder builder) {
        Random random = new Random(4);
        for (int index = 0; index < 40; index++) {
            byte[] value = new byte[index * 977];
            if (index % 3 == 0) {
                random.nextBytes(value);
            } else {
                for (int at = 0; at < value.length; at++) {
                    value[at] = (byte) "a record like any other ".charAt(at % 24);
                }
            }
            builder.append(1_600_000_000_000L + index, bytes("key-" + index), value, NO_HEADERS);
        }
        return builder;
    }

    private static void writeControl(Path folder) throws IOException {
        save(folder, "control-commit", MemoryRecords.withEndTransactionMarker(11, 1_600_000_000_000L, 4, 9, (short) 2,
            new EndTransactionMarker(ControlRecordType.COMMIT, 15)));
        save(folder, "control-abort", MemoryRecords.withEndTransactionMarker(12, 1_600_000_000_000L, 4, 9, (short) 2,
            new EndTransactionMarker(ControlRecordType.ABORT, 0)));
        save(folder, "control-leader-change", MemoryRecords.withLeaderChangeMessage(13, 1, 4, ByteBuffer.allocate(256),
            new LeaderChangeMessage().setLeaderId(3).setVoters(List.of(new LeaderChangeMessage.Voter().setVoterId(3)))));
        save(folder, "control-snapshot-header", MemoryRecords.withSnapshotHeaderRecord(0, 2, 4, ByteBuffer.allocate(256),
            new SnapshotHeaderRecord().setLastContainedLogTimestamp(99)));
        save(folder, "control-snapshot-footer", MemoryRecords.withSnapshotFooterRecord(8, 2, 4, ByteBuffer.allocate(256),
            new SnapshotFooterRecord()));
        save(folder, "control-kraft-version", MemoryRecords.withKRaftVersionRecord(9, 2, 4, ByteBuffer.allocate(256),
            new KRaftVersionRecord().setKRaftVersion((short) 1)));
        save(folder, "control-voters", MemoryRecords.withVotersRecord(10, 2, 4, ByteBuffer.allocate(256), new VotersRecord()));
        ByteBuffer empty = ByteBuffer.allocate(DefaultRecordBatch.RECORD_BATCH_OVERHEAD);
        DefaultRecordBatch.writeEmptyHeader(empty, (byte) 2, 9, (short) 2, 17, 500, 503, 4, TimestampType.CREATE_TIME,
            1_600_000_000_000L, true, false);
        empty.flip();
        save(folder, "empty", MemoryRecords.readableRecords(empty));
    }

    private static void save(Path folder, String name, MemoryRecordsBuilder builder) throws IOException {
        save(folder, name, builder.build());
    }

    private static void save(Path folder, String name, MemoryRecords records) throws IOException {
        byte[] bytes = new byte[records.sizeInBytes()];
        records.buffer().duplicate().get(bytes);
        Files.write(folder.resolve(name + ".batch"), bytes);
        Files.writeString(folder.resolve(name + ".txt"), describe(bytes));
    }

    static String describe(byte[] bytes) {
        StringBuilder text = new StringBuilder();
        for (MutableRecordBatch batch : MemoryRecords.readableRecords(ByteBuffer.wrap(bytes)).batches()) {
            batch.ensureValid();
            text.append(Description.of(batch));
        }
        return text.toString();
    }

    static void describe(Path folder) throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            for (Path file : files.filter(path -> path.toString().endsWith(".batch")).sorted().toList()) {
                System.out.println("file " + file.getFileName());
                System.out.print(describe(Files.readAllBytes(file)));
            }
        }
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }
}
