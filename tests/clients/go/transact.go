// Exactly once from one topic to another with franz-go's GroupTransactSession, and the check of it.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// fill sends numbered records.
func (c client) fill(ctx context.Context) error {
	producer, err := c.connect(kgo.DefaultProduceTopic(c.topic))
	if err != nil {
		return err
	}
	defer producer.Close()
	first, count := c.number("first"), c.number("count")
	records := make([]*kgo.Record, 0, count)
	for number := first; number < first+count; number++ {
		text := []byte(strconv.FormatInt(number, 10))
		records = append(records, &kgo.Record{Key: text, Value: text})
	}
	return producer.ProduceSync(ctx, records...).FirstErr()
}

// transact copies until its standard input ends; it says "begun" and "copied N" as it goes.
func (c client) transact(ctx context.Context) error {
	session, err := kgo.NewGroupTransactSession(
		kgo.SeedBrokers(c.options["bootstrap"]),
		kgo.TransactionalID(c.options["id"]),
		kgo.TransactionTimeout(3*time.Second),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumerGroup(c.options["group"]),
		kgo.ConsumeTopics(c.topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.SessionTimeout(6*time.Second),
		kgo.HeartbeatInterval(500*time.Millisecond),
		kgo.RequireStableFetchOffsets(),
		kgo.FetchMaxPartitionBytes(2000),
	)
	if err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() {
		_, _ = os.Stdin.Read(make([]byte, 1))
		close(ended)
	}()
	copied := 0
	for {
		select {
		case <-ended:
			session.Close()
			fmt.Println("closed")
			return nil
		default:
		}
		limit, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
		fetches := session.PollRecords(limit, 50)
		cancel()
		if fetches.Empty() {
			continue
		}
		if err := session.Begin(); err != nil {
			return err
		}
		count := 0
		fetches.EachRecord(func(record *kgo.Record) {
			count++
			session.Produce(ctx, &kgo.Record{Topic: c.options["out"], Key: record.Key, Value: record.Value}, nil)
		})
		committed, err := session.End(ctx, kgo.TryCommit)
		if err != nil {
			return err
		}
		if committed {
			copied += count
			fmt.Println("copied", copied)
		} else {
			fmt.Println("aborted")
		}
	}
}

// copies reads what is committed until every record is there, and a little longer: each must be there once.
func (c client) copies(ctx context.Context) error {
	reader, err := c.connect(kgo.ConsumeTopics(c.topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	if err != nil {
		return err
	}
	defer reader.Close()
	seen := map[string]int{}
	count, total := int(c.number("count")), 0
	read := func(wait time.Duration) {
		limit, cancel := context.WithTimeout(ctx, wait)
		defer cancel()
		reader.PollFetches(limit).EachRecord(func(record *kgo.Record) {
			seen[string(record.Value)]++
			total++
		})
	}
	for end := time.Now().Add(60 * time.Second); len(seen) < count && time.Now().Before(end); {
		read(time.Second)
	}
	read(time.Second)
	if len(seen) != count || total != count {
		return errors.New(fmt.Sprint("of ", count, " records there are ", len(seen), ", together ", total, " times"))
	}
	fmt.Println("exact", total)
	return nil
}
