// The scenario's steps with kafkajs. It has no consumer without a group, so `consume` uses a group of its own.
'use strict';

const fs = require('node:fs');
const { CompressionCodecs, CompressionTypes, Kafka, Partitioners, logLevel } = require('kafkajs');
const snappy = require('kafkajs-snappy');
const lz4 = require('lz4-napi');
const { ZstdCodec } = require('zstd-codec');

const options = Object.fromEntries(process.argv.slice(3).map((argument) => {
  const split = argument.indexOf('=');
  return [argument.slice(0, split), argument.slice(split + 1)];
}));
const { topic } = options;
const kafka = new Kafka({ brokers: [options.bootstrap], logLevel: logLevel.NOTHING, retry: { retries: 30, maxRetryTime: 1000 } });
const CODECS = { none: 'None', gzip: 'GZIP', snappy: 'Snappy', lz4: 'LZ4', zstd: 'ZSTD' };
const MESSAGES_PER_REQUEST = 2000;

const bytes = (text) => (text === '-' ? null : Buffer.from(text, 'hex'));
const hex = (data) => (data === null ? '-' : data.toString('hex'));
const say = (line) => fs.writeSync(1, `${line}\n`);
const partitionOffsets = (text) => new Map(text.split(',').map((pair) => pair.split(':').map(Number)));
const textOf = (offsets) => [...offsets].sort(([a], [b]) => a - b).map((pair) => pair.join(':')).join(',');

async function registerCodecs() {
  CompressionCodecs[CompressionTypes.Snappy] = snappy;
  const buffer = (data) => Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  CompressionCodecs[CompressionTypes.LZ4] = () => ({
    compress: async (encoder) => lz4.compressFrame(encoder.buffer),
    decompress: async (data) => lz4.decompressFrame(data),
  });
  const zstd = await new Promise((resolve) => { ZstdCodec.run(resolve); });
  const simple = new zstd.Simple();
  CompressionCodecs[CompressionTypes.ZSTD] = () => ({
    compress: async (encoder) => buffer(simple.compress(encoder.buffer, 3)),
    decompress: async (data) => buffer(simple.decompress(data)),
  });
}

async function withAdmin(work) {
  const admin = kafka.admin();
  await admin.connect();
  const answer = await work(admin);
  await admin.disconnect();
  return answer;
}

function messageOf(line) {
  const [timestamp, key, value, headers] = line.split('\t');
  const message = { timestamp, key: bytes(key), value: bytes(value), headers: {} };
  for (const pair of headers === '' ? [] : headers.split(',')) {
    const [name, data] = pair.split('=');
    const earlier = message.headers[name];
    message.headers[name] = earlier === undefined ? bytes(data) : [earlier, bytes(data)].flat();
  }
  return message;
}

function lineOf(partition, message) {
  const headers = Object.entries(message.headers).flatMap(([name, values]) => [values].flat().map((value) => `${name}=${hex(value)}`));
  const place = [partition, message.offset, message.timestamp];
  return `${[...place, hex(message.key), hex(message.value), headers.join(',')].join('\t')}\n`;
}

async function create() {
  const numPartitions = Number(options.partitions);
  await withAdmin((admin) => admin.createTopics({ topics: [{ topic, numPartitions, replicationFactor: 1 }] }));
}

// An answer names a partition and its first new offset; which record went where is the partitioner's choice.
async function produce() {
  const chosen = new Map();
  const createPartitioner = () => {
    const choose = Partitioners.DefaultPartitioner();
    return (facts) => {
      const partition = choose(facts);
      chosen.set(facts.message, partition);
      return partition;
    };
  };
  const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1, createPartitioner });
  await producer.connect();
  const messages = fs.readFileSync(options.input, 'ascii').trimEnd().split('\n').map(messageOf);
  const output = [];
  for (let start = 0; start < messages.length; start += MESSAGES_PER_REQUEST) {
    const some = messages.slice(start, start + MESSAGES_PER_REQUEST);
    const compression = CompressionTypes[CODECS[options.codec]];
    const answer = await producer.send({ topic, acks: -1, compression, messages: some });
    const next = new Map(answer.map(({ partition, baseOffset }) => [partition, Number(baseOffset)]));
    for (const message of some) {
      const partition = chosen.get(message);
      output.push(`${partition}\t${next.get(partition)}\n`);
      next.set(partition, next.get(partition) + 1);
    }
  }
  fs.writeFileSync(options.output, output.join(''));
  await producer.disconnect();
}

async function consume() {
  const missing = new Map([...partitionOffsets(options.ends)].filter(([, end]) => end > 0));
  const output = fs.openSync(options.output, 'w');
  const consumer = kafka.consumer({ groupId: `reader-${topic}-${process.pid}` });
  await consumer.connect();
  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  await new Promise((resolve, reject) => {
    consumer.on(consumer.events.CRASH, ({ payload }) => reject(payload.error));
    const eachBatch = async ({ batch }) => {
      fs.writeSync(output, batch.messages.map((message) => lineOf(batch.partition, message)).join(''));
      if (Number(batch.lastOffset()) + 1 >= missing.get(batch.partition)) missing.delete(batch.partition);
      if (missing.size === 0) resolve();
    };
    consumer.run({ autoCommit: false, eachBatch }).catch(reject);
  });
  await consumer.disconnect();
}

async function group() {
  const output = fs.openSync(options.output, 'w');
  const consumer = kafka.consumer({ groupId: options.group, rebalanceTimeout: 10000, heartbeatInterval: 500 });
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => say(`assigned ${(payload.memberAssignment[topic] ?? []).join(',')}`));
  consumer.on(consumer.events.REBALANCING, () => say('revoked'));
  await consumer.connect();
  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  const eachBatch = async ({ batch, heartbeat }) => {
    fs.writeSync(output, batch.messages.map((message) => lineOf(batch.partition, message)).join(''));
    const end = Number(batch.lastOffset()) + 1;
    await consumer.commitOffsets([{ topic, partition: batch.partition, offset: String(end) }]);
    say(`committed ${batch.partition}:${end}`);
    await heartbeat();
  };
  await consumer.run({ autoCommit: false, eachBatch, partitionsConsumedConcurrently: 1 });
  await new Promise((resolve) => { process.stdin.once('data', resolve); });
  await consumer.disconnect();
  say('closed');
  process.exit(0);
}

async function committed() {
  const [answer] = await withAdmin((admin) => admin.fetchOffsets({ groupId: options.group, topics: [topic] }));
  say(textOf(answer.partitions.map(({ partition, offset }) => [partition, Number(offset)])));
}

async function offsets() {
  const timestamp = Number(options.timestamp);
  // The library turns "no such record" into the end offset.
  const ends = await withAdmin((admin) => admin.fetchTopicOffsets(topic));
  if (timestamp < 0) {
    say(textOf(ends.map(({ partition, low, high }) => [partition, Number(timestamp === -2 ? low : high)])));
    return;
  }
  const end = new Map(ends.map(({ partition, high }) => [partition, high]));
  const found = await withAdmin((admin) => admin.fetchTopicOffsetsByTimestamp(topic, timestamp));
  say(textOf(found.map(({ partition, offset }) => [partition, offset === end.get(partition) ? -1 : Number(offset)])));
}

async function deleteRecords() {
  const before = partitionOffsets(options.before);
  const partitions = [...before].map(([partition, offset]) => ({ partition, offset: String(offset) }));
  const marks = await withAdmin(async (admin) => {
    // Deleting works only where the topic's metadata is known already.
    await admin.fetchTopicOffsets(topic);
    await admin.deleteTopicRecords({ topic, partitions });
    return admin.fetchTopicOffsets(topic);
  });
  say(textOf(marks.filter(({ partition }) => before.has(partition)).map(({ partition, low }) => [partition, Number(low)])));
}

const STEPS = { create, produce, consume, group, committed, offsets, delete: deleteRecords };
registerCodecs().then(STEPS[process.argv[2]]).catch((error) => {
  console.error(error);
  process.exit(1);
});
