// What Kafka's broker would make of produced batches.
package records;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Collectors;
import org.apache.kafka.common.InvalidRecordException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.errors.CorruptRecordException;
import org.apache.kafka.common.errors.RecordTooLargeException;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.record.internal.CompressionType;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.record.internal.MutableRecordBatch;
import org.apache.kafka.common.requests.ProduceRequest;
import org.apache.kafka.common.utils.Time;
import org.apache.kafka.common.utils.internals.BufferSupplier;
import org.apache.kafka.common.utils.internals.PrimitiveRef;
import org.apache.kafka.storage.internals.log.AppendOrigin;
import org.apache.kafka.storage.internals.log.LogValidator;
import org.apache.kafka.storage.internals.log.RecordValidationException;

/**
 * A case is four bytes of length, a byte of options and as many bytes of batches. Options: 1 compacted topic,
 * 2 LogAppendTime, 4 small limits, and times 8 the target codec plus one, or 0 for the producer's.
 */
final class Judge {
    private static final long NOW = 1_700_000_000_000L;
    private static final long FIRST_OFFSET = 1000;
    private static final int LEADER_EPOCH = 6;

    static void judge(Path file) throws IOException {
        ByteBuffer cases = ByteBuffer.wrap(Files.readAllBytes(file));
        StringBuilder answers = new StringBuilder();
        while (cases.hasRemaining()) {
            byte[] batches = new byte[cases.getInt()];
            int options = cases.get();
            cases.get(batches);
            answers.append(answer(batches, options).replace("\n", "|")).append('\n');
        }
        System.out.print(answers);
    }

    private static String answer(byte[] bytes, int options) {
        try {
            return append(MemoryRecords.readableRecords(ByteBuffer.wrap(bytes)), options);
        } catch (RecordValidationException e) {
            return Errors.forException(e.invalidException()).name() + " " + e.recordErrors().stream()
                .map(error -> String.valueOf(error.batchIndex)).collect(Collectors.joining(","));
        } catch (Throwable e) {
            return Errors.forException(e).name();
        }
    }

    /** The checks of the request and of the log, in their order, then Kafka's validator. */
    private static String append(MemoryRecords records, int options) {
        boolean small = (options & 4) != 0;
        int maxMessageBytes = small ? 300 : 1 << 20;
        ProduceRequest.validateRecords((short) 9, records);
        CompressionType source = CompressionType.NONE;
        for (MutableRecordBatch batch : records.batches()) {
            if (batch.baseOffset() != 0) {
                throw new InvalidRecordException("base offset");
            }
            tooLarge(batch, maxMessageBytes);
            if (!batch.isValid()) {
                throw new CorruptRecordException("checksum");
            }
            source = batch.compressionType();
        }
        int target = options >> 3;
        Compression compression = Compression.of(target == 0 ? source : CompressionType.forId(target - 1)).build();
        LogValidator validator = new LogValidator(records, new TopicPartition("t", 0), new Clock(), source, compression,
            (options & 1) != 0, (byte) 2, (options & 2) != 0 ? TimestampType.LOG_APPEND_TIME : TimestampType.CREATE_TIME,
            small ? 1_000_000 : Long.MAX_VALUE, 3_600_000, LEADER_EPOCH, AppendOrigin.CLIENT, small ? 150 : 0x7ffffff7);
        LogValidator.ValidationResult result = validator.validateMessagesAndAssignOffsets(
            PrimitiveRef.ofLong(FIRST_OFFSET), new NoMetrics(), BufferSupplier.NO_CACHING);
        StringBuilder text = new StringBuilder("NONE ");
        for (MutableRecordBatch batch : result.validatedRecords().batches()) {
            if (result.messageSizeMaybeChanged()) {
                tooLarge(batch, maxMessageBytes);
            }
            batch.ensureValid();
            try {
                text.append(Description.of(batch));
            } catch (RuntimeException e) {
                return "NONE unreadable";
            }
        }
        return text.toString();
    }

    private static void tooLarge(MutableRecordBatch batch, int limit) {
        if (batch.sizeInBytes() > limit) {
            throw new RecordTooLargeException("size");
        }
    }

    private static final class Clock implements Time {
        public long milliseconds() {
            return NOW;
        }

        public long nanoseconds() {
            return 0;
        }

        public void sleep(long ms) {
        }
    }

    private static final class NoMetrics implements LogValidator.MetricsRecorder {
        public void recordInvalidMagic() {
        }

        public void recordInvalidOffset() {
        }

        public void recordInvalidSequence() {
        }

        public void recordInvalidChecksums() {
        }

        public void recordNoKeyCompactedTopic() {
        }
    }
}
