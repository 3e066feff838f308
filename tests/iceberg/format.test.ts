/** The bytes and the JSON of the format: golden vectors, headers, and round trips. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import avro from 'avsc';
import fc from 'fast-check';
import { avroMetadata, avroRead } from 'icebird';
import { decodeAvro, encodeAvro } from '#src/iceberg/avro-file';
import { manifestEntrySchema } from '#src/iceberg/avro-schemas';
import { decodeManifest, encodeManifest, int32, manifestRow, mayHold } from '#src/iceberg/manifest';
import { addedEntry, deletedEntry, existingEntry } from '#src/iceberg/manifest-entry';
import { parseMetadata } from '#src/iceberg/metadata-text';
import { schemaJson } from '#src/iceberg/schema-json';
import { partitionTuple, TABLES, tableDefinition } from '#src/iceberg/table-definition';
import {
  expireSnapshots,
  newTableMetadata,
  type Snapshot,
  snapshotId,
  type TableMetadata,
  uuidOf,
  withSnapshot,
} from '#src/iceberg/table-metadata';
import { dataFile, GOLD } from '#tests/iceberg/lake-model';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

test('golden vectors of the format', async () => {
  // Avro longs are zigzag varints; one inside a container, where it can be seen as it is.
  const long = avro.Type.forSchema('long');
  const vectors: [number, string][] = [
    [0, '00'],
    [-1, '01'],
    [1, '02'],
    [-64, '7f'],
    [64, '8001'],
    [1735689600000000, '8080e3a0b7a69506'],
  ];
  for (const [value, bytes] of vectors) assert.equal(hex(long.toBuffer(value)), bytes);
  // Single-value binary of a date, which is also what day() gives.
  const start = 'window_date=2025-01-01';
  const byDay = tableDefinition('gold_ohlcv_1m').partition;
  assert.deepEqual(partitionTuple(byDay, start), [20089]);
  assert.equal(hex(int32(20089)), '794e0000');
  const byHour = tableDefinition(GOLD).partition;
  const hour = 'exchange_date=2025-01-01/exchange_hour=23';
  assert.deepEqual(partitionTuple(byHour, hour), [20089, 23]);
  const byMonth = tableDefinition('gold_ohlcv_1d').partition;
  assert.deepEqual(partitionTuple(byMonth, 'window_month=2025-01'), [660]);
  assert.deepEqual(partitionTuple(byMonth, 'window_month=1970-01'), [0]);
  assert.equal(hex(int32(-1)), 'ffffffff');
});

test('every table: ids are unique, parts have ids, names of partition fields are free', () => {
  for (const [name, definition] of TABLES) {
    const metadata = newTableMetadata(definition, `file:///lake/${name}`, uuidOf(name), 1);
    const [schema] = metadata.schemas;
    assert.ok(schema);
    const ids = schema.fields.flatMap(({ id, type }) => {
      if (typeof type === 'string') return [id];
      return type.type === 'list'
        ? [id, type['element-id']]
        : [id, type['key-id'], type['value-id']];
    });
    assert.equal(new Set(ids).size, ids.length, name);
    assert.equal(metadata['last-column-id'], Math.max(...ids));
    for (const { name: column, doc } of schema.fields) assert.ok(doc.length > 3, column);
    const byId = new Map(schema.fields.map((field) => [field.id, field]));
    for (const id of schema['identifier-field-ids']) assert.equal(byId.get(id)?.required, true);
    const [spec] = metadata['partition-specs'];
    assert.ok(spec && spec.fields.length > 0);
    for (const [i, field] of spec.fields.entries()) {
      assert.equal(field['field-id'], 1000 + i);
      const source = byId.get(field['source-id']);
      assert.ok(source);
      const sameName = schema.fields.find((column) => column.name === field.name);
      if (field.transform === 'identity') assert.equal(sameName, source);
      else assert.equal(sameName, undefined);
    }
    assert.equal(metadata['last-partition-id'], 999 + spec.fields.length);
    const order = metadata['sort-orders'].find(
      (o) => o['order-id'] === metadata['default-sort-order-id'],
    );
    assert.ok(order && order.fields.length > 0);
    assert.match(
      metadata['table-uuid'],
      /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
    );
  }
});

test("a manifest's header keeps what Iceberg goes by: field ids, element ids, logical types", async () => {
  const definition = tableDefinition(GOLD);
  const file = dataFile(GOLD, 'exchange_date=2025-01-01/exchange_hour=23', 'a', 5);
  const entry = addedEntry(definition, file, 'file:///a', 7);
  const bytes = encodeManifest(definition, schemaJson(definition, 0), [entry]);
  const { metadata } = decodeAvro(bytes);
  const header = metadata['avro.schema'] as string;
  assert.deepEqual(JSON.parse(header), manifestEntrySchema(definition.partition));
  for (const attribute of [
    '"field-id":1001',
    '"element-id":133',
    '"logicalType":"map"',
    '"logicalType":"date"',
  ]) {
    assert.ok(header.includes(attribute), attribute);
  }
  assert.deepEqual(JSON.parse(metadata['partition-spec'] as string), [
    { 'source-id': 16, 'field-id': 1000, name: 'exchange_date', transform: 'identity' },
    { 'source-id': 17, 'field-id': 1001, name: 'exchange_hour', transform: 'identity' },
  ]);
  assert.equal(metadata.content, 'data');
  assert.equal(metadata['format-version'], '2');
  // Encoded again: the same bytes.
  assert.deepEqual(encodeManifest(definition, schemaJson(definition, 0), [entry]), bytes);
  assert.equal(
    hex(encodeAvro({ schema: 'long', metadata: {}, records: [] }).subarray(0, 4)),
    '4f626a01',
  );
});

const files = fc.array(
  fc.record({
    hour: fc.nat(23),
    day: fc.integer({ min: 10, max: 28 }),
    rows: fc.nat(2 ** 31),
    status: fc.constantFrom('added', 'existing', 'deleted'),
    sequence: fc.integer({ min: 1, max: 2 ** 40 }),
  }),
  { minLength: 1, maxLength: 300 },
);

test('manifests come back as they were, for us and for icebird', async () => {
  const definition = tableDefinition(GOLD);
  await fc.assert(
    fc.asyncProperty(files, async (drawn) => {
      const entries = drawn.map(({ hour, day, rows, status, sequence }, i) => {
        const folder = `exchange_date=2026-11-${day}/exchange_hour=${String(hour).padStart(2, '0')}`;
        const added = addedEntry(
          definition,
          dataFile(GOLD, folder, `f${i}`, rows),
          `file:///f${i}`,
          2 ** 52 + i,
        );
        if (status === 'added') return added;
        const numbered = { ...added, sequence_number: sequence, file_sequence_number: sequence };
        return status === 'existing'
          ? existingEntry(numbered)
          : deletedEntry(numbered, 2 ** 53 - 2);
      });
      const bytes = encodeManifest(definition, schemaJson(definition, 3), entries);
      const place = { path: 'file:///m', bytes };
      const row = manifestRow(definition, place, entries, {
        snapshotId: 5,
        sequenceNumber: 2 ** 41,
      });
      const decoded = decodeManifest(row, bytes);
      assert.deepEqual(
        decoded.map((entry) => JSON.stringify(entry)),
        entries.map((entry) =>
          JSON.stringify({
            ...entry,
            sequence_number: entry.sequence_number ?? 2 ** 41,
            file_sequence_number: entry.file_sequence_number ?? 2 ** 41,
          }),
        ),
      );
      const reader = { view: new DataView(Uint8Array.from(bytes).buffer), offset: 0 };
      const theirs = await avroRead({ reader, ...(await avroMetadata(reader)) });
      assert.equal(theirs.length, entries.length);
      for (const [i, entry] of entries.entries()) {
        const { status, snapshot_id, data_file } = theirs[i] as Record<string, never>;
        assert.equal(status, entry.status);
        assert.equal(Number(snapshot_id), entry.snapshot_id);
        const { record_count, file_path, partition, lower_bounds } = data_file as Record<
          string,
          never
        >;
        assert.equal(Number(record_count), entry.data_file.record_count);
        assert.equal(file_path, entry.data_file.file_path);
        assert.equal(
          (partition as { exchange_hour: number }).exchange_hour,
          entry.data_file.partition.exchange_hour,
        );
        assert.equal(
          hex((lower_bounds as { value: Uint8Array }[])[0]!.value),
          hex(Buffer.from('BTCUSD')),
        );
      }
      for (const { hour, day } of drawn) {
        const date = Date.UTC(2026, 10, day) / 86_400_000;
        assert.ok(mayHold(row, [date, hour]), 'a summary leaves out a partition that is there');
      }
      assert.equal(mayHold(row, [Date.UTC(2026, 10, 29) / 86_400_000, 0]), false);
      assert.throws(
        () => decodeManifest(row, bytes.subarray(0, bytes.length - 1)),
        /bytes, not the/,
      );
    }),
    { numRuns: 15 },
  );
});

test('a manifest of many blocks, and an empty file, come back whole', async () => {
  const schema = {
    type: 'record',
    name: 'r',
    fields: [
      { name: 'n', type: 'long' },
      { name: 's', type: 'string' },
    ],
  };
  for (const count of [0, 1, 40_000]) {
    const records = Array.from({ length: count }, (_, n) => ({ n, s: `text ${n * n}` }));
    const bytes = encodeAvro({ schema, metadata: { a: 'b' }, records });
    const back = decodeAvro<{ n: number; s: string }>(bytes);
    assert.equal(back.metadata.a, 'b');
    assert.deepEqual(
      back.records.map(({ n, s }) => `${n} ${s}`),
      records.map(({ n, s }) => `${n} ${s}`),
    );
  }
  assert.throws(() => encodeAvro({ schema: 'long', metadata: {}, records: [2 ** 53] }));
});

test('a file is read by avsc itself, and cut anywhere it is refused or shorter by whole blocks', async () => {
  const schema = { type: 'record', name: 'r', fields: [{ name: 's', type: 'string' }] };
  const records = Array.from({ length: 3_000 }, (_, n) => ({ s: `${n} `.repeat(12) }));
  const bytes = encodeAvro({ schema, metadata: { a: 'b' }, records });
  const decoder = new avro.streams.BlockDecoder();
  const theirs: unknown[] = [];
  decoder.on('data', (record) => theirs.push(record));
  const ended = once(decoder, 'end');
  decoder.end(bytes);
  await ended;
  assert.equal(JSON.stringify(theirs), JSON.stringify(records));
  let shorter = 0;
  for (let end = 0; end < bytes.length; end += end < 300 ? 1 : 37) {
    let back: unknown[];
    try {
      back = decodeAvro(bytes.subarray(0, end)).records;
    } catch (error) {
      assert.match((error as Error).message, /Avro file/);
      continue;
    }
    assert.equal(JSON.stringify(back), JSON.stringify(records.slice(0, back.length)));
    shorter++;
  }
  assert.ok(shorter <= 4, `${shorter} cuts went unnoticed`);
});

function tableWith(timestamps: readonly number[]): TableMetadata {
  let metadata = newTableMetadata(tableDefinition(GOLD), 'file:///t', uuidOf('t'), 0);
  for (const [i, timestamp] of timestamps.entries()) {
    metadata = withSnapshot(metadata, {
      'snapshot-id': snapshotId(metadata, i + 1),
      'sequence-number': i + 1,
      'timestamp-ms': timestamp,
      'manifest-list': '',
      summary: { operation: 'append', 'bullion.epoch': String(i) },
      'schema-id': 0,
    });
  }
  return metadata;
}

test('expiry keeps the newest, the young up to a limit, and never the current one only in part', () => {
  const steps = fc.array(fc.nat(1000), { minLength: 1, maxLength: 40 });
  fc.assert(
    fc.property(steps, fc.nat(10), fc.nat(20), fc.nat(5000), (gaps, min, more, ageMsMax) => {
      let now = 0;
      const metadata = tableWith(gaps.map((gap) => (now += gap)));
      const retention = { snapshotsMin: min, snapshotsMax: min + more, ageMsMax };
      const { metadata: after, expired } = expireSnapshots(metadata, retention, now);
      const ids = (snapshots: readonly Snapshot[]): number[] =>
        snapshots.map((s) => s['snapshot-id']);
      assert.deepEqual([...ids(expired), ...ids(after.snapshots)], ids(metadata.snapshots));
      assert.equal(after['current-snapshot-id'], after.snapshots.at(-1)?.['snapshot-id']);
      assert.ok(after.snapshots.length <= Math.max(1, min + more));
      assert.ok(after.snapshots.length >= Math.min(gaps.length, Math.max(1, min)));
      const surplus = after.snapshots.slice(
        0,
        Math.max(0, after.snapshots.length - Math.max(1, min)),
      );
      for (const snapshot of surplus) assert.ok(now - snapshot['timestamp-ms'] <= ageMsMax);
      assert.deepEqual(
        ids(after.snapshots),
        after['snapshot-log'].map((entry) => entry['snapshot-id']),
      );
    }),
  );
});

test('snapshot ids are positive, safe, and different; metadata with unsafe ones is not ours', () => {
  const metadata = tableWith(Array.from({ length: 300 }, (_, i) => i));
  const ids = metadata.snapshots.map((snapshot) => snapshot['snapshot-id']);
  assert.equal(new Set(ids).size, ids.length);
  for (const id of ids) assert.ok(Number.isSafeInteger(id) && id > 0);
  assert.deepEqual(parseMetadata(JSON.stringify(metadata)), metadata);
  const foreign = JSON.stringify(metadata).replace(String(ids[3]), '4847726637416685222');
  assert.equal(parseMetadata(foreign), undefined);
  assert.equal(parseMetadata(JSON.stringify(metadata).slice(0, 200)), undefined);
});

test('JSON with a key of another name, a value of another kind or without one is no metadata', () => {
  const metadata = tableWith([0, 1, 2]);
  const NOT_NEEDED = new Set(['current-snapshot-id']);
  for (const key of Object.keys(metadata)) {
    const { [key as keyof typeof metadata]: value, ...rest } = metadata;
    const renamed = { ...rest, [`${key}x`]: value };
    const isMetadata = parseMetadata(JSON.stringify(renamed)) !== undefined;
    assert.equal(isMetadata, NOT_NEEDED.has(key), key);
    assert.equal(parseMetadata(JSON.stringify({ ...metadata, [key]: true })), undefined, key);
  }
  for (const key of [
    'snapshot-id',
    'sequence-number',
    'timestamp-ms',
    'manifest-list',
    'summary',
  ]) {
    const text = JSON.stringify(metadata).replace(`"snapshots":[{`, '$&"x":1,');
    assert.notEqual(parseMetadata(text), undefined);
    const snapshots = metadata.snapshots.map((one, i) => (i === 1 ? { ...one, [key]: null } : one));
    assert.equal(parseMetadata(JSON.stringify({ ...metadata, snapshots })), undefined, key);
  }
});

test('a text that no program wrote is no metadata', () => {
  for (const text of ['', '[]', 'null', '7', '{}', '{"format-version":2}']) {
    assert.equal(parseMetadata(text), undefined, text);
  }
});
