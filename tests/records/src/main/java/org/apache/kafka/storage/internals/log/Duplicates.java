// Opens what Kafka's log asks of a producer's entry, and keeps inside its package.
package org.apache.kafka.storage.internals.log;

import java.util.Optional;
import org.apache.kafka.common.record.internal.RecordBatch;

public final class Duplicates {
    public static Optional<BatchMetadata> find(ProducerStateManager states, RecordBatch batch) {
        return states.lastEntry(batch.producerId()).flatMap(entry -> entry.findDuplicateBatch(batch));
    }
}
