// The scenario's steps with franz-go.
package main

import (
	"bufio"
	"context"
	"encoding/hex"
	"fmt"
	"os"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

type client struct {
	options map[string]string
	topic   string
}

func main() {
	c := client{options: map[string]string{}}
	for _, argument := range os.Args[2:] {
		name, value, _ := strings.Cut(argument, "=")
		c.options[name] = value
	}
	c.topic = c.options["topic"]
	steps := map[string]func(context.Context) error{
		"create": c.create, "produce": c.produce, "consume": c.consume, "group": c.group,
		"committed": c.committed, "offsets": c.offsets, "delete": c.delete,
		"fill": c.fill, "transact": c.transact, "copies": c.copies,
	}
	if err := steps[os.Args[1]](context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func (c client) connect(more ...kgo.Opt) (*kgo.Client, error) {
	return kgo.NewClient(append(more, kgo.SeedBrokers(c.options["bootstrap"]))...)
}

func (c client) admin() (*kadm.Client, error) {
	connection, err := c.connect()
	if err != nil {
		return nil, err
	}
	return kadm.NewClient(connection), nil
}

func (c client) number(name string) int64 {
	number, err := strconv.ParseInt(c.options[name], 10, 64)
	if err != nil {
		panic(err)
	}
	return number
}

func (c client) create(ctx context.Context) error {
	admin, err := c.admin()
	if err != nil {
		return err
	}
	defer admin.Close()
	answer, err := admin.CreateTopic(ctx, int32(c.number("partitions")), 1, nil, c.topic)
	if err != nil {
		return err
	}
	return answer.Err
}

func codec(name string) kgo.CompressionCodec {
	return map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
		"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	}[name]
}

func (c client) produce(ctx context.Context) error {
	producer, err := c.connect(kgo.RequiredAcks(kgo.AllISRAcks()), kgo.ProducerBatchCompression(codec(c.options["codec"])),
		kgo.MaxBufferedRecords(200000))
	if err != nil {
		return err
	}
	defer producer.Close()
	input, err := os.Open(c.options["input"])
	if err != nil {
		return err
	}
	var records []*kgo.Record
	var failed error
	var once sync.Once
	lines := bufio.NewScanner(input)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		record := recordOf(lines.Text())
		record.Topic = c.topic
		records = append(records, record)
		producer.Produce(ctx, record, func(_ *kgo.Record, err error) {
			if err != nil {
				once.Do(func() { failed = err })
			}
		})
	}
	if err := producer.Flush(ctx); err != nil {
		return err
	}
	if failed != nil {
		return failed
	}
	return writeFile(c.options["output"], func(output *bufio.Writer) error {
		for _, record := range records {
			fmt.Fprintf(output, "%d\t%d\n", record.Partition, record.Offset)
		}
		return nil
	})
}

func (c client) consume(ctx context.Context) error {
	missing := c.partitionOffsets("ends")
	starts := map[int32]kgo.Offset{}
	for partition, end := range missing {
		if end == 0 {
			delete(missing, partition)
			continue
		}
		starts[partition] = kgo.NewOffset().AtStart()
	}
	consumer, err := c.connect(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{c.topic: starts}))
	if err != nil {
		return err
	}
	defer consumer.Close()
	return writeFile(c.options["output"], func(output *bufio.Writer) error {
		for len(missing) > 0 {
			for partition, end := range writeFetches(consumer.PollFetches(ctx), output) {
				if end >= missing[partition] {
					delete(missing, partition)
				}
			}
		}
		return nil
	})
}

// writeFetches writes down what has come and returns where each partition stands now.
func writeFetches(fetches kgo.Fetches, output *bufio.Writer) map[int32]int64 {
	ends := map[int32]int64{}
	fetches.EachRecord(func(record *kgo.Record) {
		output.WriteString(lineOf(record))
		ends[record.Partition] = record.Offset + 1
	})
	output.Flush()
	return ends
}

// ownership tells the driver which partitions this member holds.
type ownership struct {
	lock sync.Mutex
	held map[int32]bool
}

func (o *ownership) change(partitions []int32, held bool) {
	o.lock.Lock()
	defer o.lock.Unlock()
	for _, partition := range partitions {
		if held {
			o.held[partition] = true
		} else {
			delete(o.held, partition)
		}
	}
	var numbers []int
	for partition := range o.held {
		numbers = append(numbers, int(partition))
	}
	sort.Ints(numbers)
	fmt.Println("assigned " + strings.ReplaceAll(strings.Trim(fmt.Sprint(numbers), "[]"), " ", ","))
}

func (c client) group(ctx context.Context) error {
	owned := ownership{held: map[int32]bool{}}
	gained := func(_ context.Context, _ *kgo.Client, topics map[string][]int32) { owned.change(topics[c.topic], true) }
	lost := func(_ context.Context, _ *kgo.Client, topics map[string][]int32) {
		owned.change(topics[c.topic], false)
	}
	consumer, err := c.connect(kgo.ConsumerGroup(c.options["group"]), kgo.ConsumeTopics(c.topic), kgo.DisableAutoCommit(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.BlockRebalanceOnPoll(),
		kgo.OnPartitionsAssigned(gained), kgo.OnPartitionsRevoked(lost), kgo.OnPartitionsLost(lost))
	if err != nil {
		return err
	}
	stop := make(chan struct{})
	go func() {
		bufio.NewReader(os.Stdin).ReadString('\n')
		close(stop)
	}()
	err = writeFile(c.options["output"], func(output *bufio.Writer) error {
		for {
			select {
			case <-stop:
				return nil
			default:
			}
			short, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
			ends := writeFetches(consumer.PollRecords(short, 2000), output)
			cancel()
			if len(ends) > 0 {
				c.commit(ctx, consumer, ends)
			}
			consumer.AllowRebalance()
		}
	})
	consumer.Close()
	fmt.Println("closed")
	return err
}

func (c client) commit(ctx context.Context, consumer *kgo.Client, ends map[int32]int64) {
	var records []*kgo.Record
	for partition, end := range ends {
		records = append(records, &kgo.Record{Topic: c.topic, Partition: partition, Offset: end - 1, LeaderEpoch: -1})
	}
	if err := consumer.CommitRecords(ctx, records...); err != nil {
		fmt.Println("refused", err)
		return
	}
	fmt.Println("committed " + textOf(ends))
}

func (c client) committed(ctx context.Context) error {
	admin, err := c.admin()
	if err != nil {
		return err
	}
	defer admin.Close()
	answer, err := admin.FetchOffsets(ctx, c.options["group"])
	if err != nil {
		return err
	}
	found := map[int32]int64{}
	for partition := int32(0); int64(partition) < c.number("partitions"); partition++ {
		found[partition] = -1
		if offset, ok := answer.Lookup(c.topic, partition); ok {
			found[partition] = offset.At
		}
	}
	fmt.Println(textOf(found))
	return nil
}

func (c client) offsets(ctx context.Context) error {
	admin, err := c.admin()
	if err != nil {
		return err
	}
	defer admin.Close()
	timestamp := c.number("timestamp")
	var answer kadm.ListedOffsets
	switch timestamp {
	case -2:
		answer, err = admin.ListStartOffsets(ctx, c.topic)
	case -1:
		answer, err = admin.ListEndOffsets(ctx, c.topic)
	default:
		answer, err = admin.ListOffsetsAfterMilli(ctx, timestamp, c.topic)
	}
	if err != nil {
		return err
	}
	found := map[int32]int64{}
	answer.Each(func(offset kadm.ListedOffset) {
		found[offset.Partition] = offset.Offset
		// The library turns "no such record" into the end offset, with the timestamp -1.
		if timestamp >= 0 && offset.Timestamp == -1 {
			found[offset.Partition] = -1
		}
	})
	fmt.Println(textOf(found))
	return answer.Error()
}

func (c client) delete(ctx context.Context) error {
	admin, err := c.admin()
	if err != nil {
		return err
	}
	defer admin.Close()
	before := kadm.Offsets{}
	for partition, offset := range c.partitionOffsets("before") {
		before.AddOffset(c.topic, partition, offset, -1)
	}
	answer, err := admin.DeleteRecords(ctx, before)
	if err != nil {
		return err
	}
	low := map[int32]int64{}
	answer.Each(func(deleted kadm.DeleteRecordsResponse) { low[deleted.Partition] = deleted.LowWatermark })
	fmt.Println(textOf(low))
	return answer.Error()
}

func (c client) partitionOffsets(name string) map[int32]int64 {
	offsets := map[int32]int64{}
	for _, pair := range strings.Split(c.options[name], ",") {
		var partition int32
		var offset int64
		if _, err := fmt.Sscanf(pair, "%d:%d", &partition, &offset); err != nil {
			panic(err)
		}
		offsets[partition] = offset
	}
	return offsets
}

func textOf(offsets map[int32]int64) string {
	var partitions []int
	for partition := range offsets {
		partitions = append(partitions, int(partition))
	}
	sort.Ints(partitions)
	var pairs []string
	for _, partition := range partitions {
		pairs = append(pairs, fmt.Sprintf("%d:%d", partition, offsets[int32(partition)]))
	}
	return strings.Join(pairs, ",")
}

func bytesOf(text string) []byte {
	if text == "-" {
		return nil
	}
	data, err := hex.DecodeString(text)
	if err != nil {
		panic(err)
	}
	return data
}

func hexOf(data []byte) string {
	if data == nil {
		return "-"
	}
	return hex.EncodeToString(data)
}

func recordOf(line string) *kgo.Record {
	fields := strings.Split(line, "\t")
	timestamp, err := strconv.ParseInt(fields[0], 10, 64)
	if err != nil {
		panic(err)
	}
	record := &kgo.Record{Timestamp: time.UnixMilli(timestamp), Key: bytesOf(fields[1]), Value: bytesOf(fields[2])}
	for _, pair := range strings.Split(fields[3], ",") {
		if name, value, ok := strings.Cut(pair, "="); ok {
			record.Headers = append(record.Headers, kgo.RecordHeader{Key: name, Value: bytesOf(value)})
		}
	}
	return record
}

func lineOf(record *kgo.Record) string {
	var headers []string
	for _, header := range record.Headers {
		headers = append(headers, header.Key+"="+hexOf(header.Value))
	}
	return fmt.Sprintf("%d\t%d\t%d\t%s\t%s\t%s\n", record.Partition, record.Offset, record.Timestamp.UnixMilli(),
		hexOf(record.Key), hexOf(record.Value), strings.Join(headers, ","))
}

func writeFile(path string, write func(*bufio.Writer) error) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer file.Close()
	output := bufio.NewWriter(file)
	if err := write(output); err != nil {
		return err
	}
	return output.Flush()
}
