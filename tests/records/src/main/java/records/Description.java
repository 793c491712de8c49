// A batch as text: a line for the batch, one for each record and one for each header.
package records;

import java.nio.ByteBuffer;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.record.internal.DefaultRecordBatch;
import org.apache.kafka.common.record.internal.Record;
import org.apache.kafka.common.record.internal.RecordBatch;

final class Description {
    static String of(RecordBatch batch) {
        StringBuilder text = new StringBuilder();
        text.append("batch base_offset=").append(batch.baseOffset());
        text.append(" last_offset=").append(batch.lastOffset());
        text.append(" leader_epoch=").append(batch.partitionLeaderEpoch());
        text.append(" codec=").append(batch.compressionType().name);
        text.append(" timestamp_type=").append(batch.timestampType().name);
        text.append(" base_timestamp=").append(((DefaultRecordBatch) batch).baseTimestamp());
        text.append(" max_timestamp=").append(batch.maxTimestamp());
        text.append(" producer=").append(batch.producerId()).append('/').append(batch.producerEpoch());
        text.append(" sequence=").append(batch.baseSequence()).append("..").append(batch.lastSequence());
        text.append(" transactional=").append(batch.isTransactional());
        text.append(" control=").append(batch.isControlBatch());
        text.append(" delete_horizon=");
        text.append(batch.deleteHorizonMs().isPresent() ? batch.deleteHorizonMs().getAsLong() : "none");
        text.append(" count=").append(batch.countOrNull()).append('\n');
        for (Record record : batch) {
            text.append("record offset=").append(record.offset());
            text.append(" timestamp=").append(record.timestamp());
            text.append(" sequence=").append(record.sequence());
            text.append(" key=").append(hex(record.key()));
            text.append(" value=").append(hex(record.value())).append('\n');
            for (Header header : record.headers()) {
                text.append("header ").append(hex(ByteBuffer.wrap(header.key().getBytes(java.nio.charset.StandardCharsets.UTF_8))));
                text.append('=').append(hex(header.value() == null ? null : ByteBuffer.wrap(header.value()))).append('\n');
            }
        }
        return text.toString();
    }

    private static String hex(ByteBuffer bytes) {
        if (bytes == null) {
            return "null";
        }
        StringBuilder text = new StringBuilder("x");
        for (ByteBuffer rest = bytes.duplicate(); rest.hasRemaining(); ) {
            int value = rest.get() & 0xff;
            text.append(Character.forDigit(value >> 4, 16)).append(Character.forDigit(value & 15, 16));
        }
        return text.toString();
    }
}
