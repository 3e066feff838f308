/** Frames of a log to the bronze table: DuckDB reads exactly what the log holds, in log order. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import test from 'node:test';
import fc from 'fast-check';
import { BRONZE } from '#schemas/bronze';
import { nodeDisk } from '#src/base/node-disk';
import { BronzeEncoder } from '#src/lake/bronze-encoder';
import type { BronzeJob } from '#src/lake/job';
import { ROWS_PER_FILE_MAX } from '#src/lake/rows-per-file';
import type { StagedFile } from '#src/lake/staged-file';
import { FRAME_BYTES_MAX, FRAME_KINDS } from '#src/log/frame';
import { listSegments, segmentPath } from '#src/log/segment-files';
import { describe, fieldIds, query, rowsOf } from '#tests/lake/duckdb';
import { MIDNIGHT_US } from '#tests/lake/trade-rows';
import {
  appendFrame,
  openWriter,
  type ReadFrame,
  readLog,
  type TestFrame,
} from '#tests/support/log-fixtures';
import { temporaryDirectory } from '#tests/support/temporary-directory';

const root = temporaryDirectory(test, 'bronze');
const disk = nodeDisk();
const lakeDir = join(root, 'lake');
const encoder = new BronzeEncoder({ lakeDir, disk });
let logs = 0;

const COLUMNS = `"sequence"::VARCHAR AS "sequence", epoch_us(receive_timestamp)::VARCHAR AS time,
  kind, connection, hex(raw_frame) AS raw, receive_date::VARCHAR AS date`;

const frame: fc.Arbitrary<TestFrame> = fc.record({
  bytes: fc.uint8Array({ maxLength: 60 }),
  kind: fc.nat({ max: FRAME_KINDS.length - 1 }),
  connection: fc.nat({ max: 0xffff }),
  receiveTimeUs: fc
    .tuple(fc.constantFrom(-1, 0, 0, 24), fc.integer({ min: -3, max: 3 }))
    .map(([hours, us]) => MIDNIGHT_US + hours * 3_600_000_000 + us),
});

const dateOf = ({ receiveTimeUs }: TestFrame): string =>
  new Date(Math.floor(receiveTimeUs / 1000)).toISOString().slice(0, 10);

const rowOf = (read: ReadFrame) => ({
  sequence: String(read.sequence),
  time: String(read.receiveTimeUs),
  kind: FRAME_KINDS[read.kind],
  connection: read.connection,
  raw: Buffer.from(read.bytes).toString('hex').toUpperCase(),
  date: dateOf(read),
});

/** A log of small segments; answers its folder. */
async function logOf(frames: Iterable<TestFrame>, segmentBytesMax?: number): Promise<string> {
  const dir = join(root, `log-${logs++}`);
  const writer = openWriter(disk, {
    dir,
    exchange: 'KRAKEN',
    ...(segmentBytesMax && { segmentBytesMax }),
  });
  let count = 0;
  for (const one of frames) {
    appendFrame(writer, one);
    if (++count % 7 === 0) writer.flush();
  }
  await writer.close();
  return dir;
}

function job(dir: string, fromSequence: number, toSequence: number): BronzeJob {
  const name = `b${logs}`;
  return { kind: 'bronze', exchange: 'KRAKEN', dir, fromSequence, toSequence, name };
}

async function tableRows(files: readonly StagedFile[]) {
  const rows = await Promise.all(files.map(({ path }) => rowsOf(join(lakeDir, path), COLUMNS)));
  return rows.flat();
}

test('any stretch of a log becomes exactly its frames, one file a day', async () => {
  const stretch = fc.array(frame, { minLength: 1, maxLength: 60 }).chain((frames) =>
    fc.record({
      frames: fc.constant(frames),
      from: fc.nat({ max: frames.length }),
      length: fc.nat({ max: frames.length }),
    }),
  );
  await fc.assert(
    fc.asyncProperty(stretch, async ({ frames, from, length }) => {
      const dir = await logOf(frames, 400);
      const wanted = readLog(disk, 0, dir).frames.slice(from, from + length);
      const files = encoder.run(job(dir, from, from + length));
      assert.deepEqual(await tableRows(files), wanted.map(rowOf));
      const dates = [...new Set(wanted.map(dateOf))];
      assert.deepEqual(
        files.map(({ table, partition }) => [table, partition]),
        dates.map((date) => ['bronze_kraken_trades', `receive_date=${date}`]),
      );
      assert.deepEqual(
        files.map(({ rows }) => rows),
        dates.map((date) => wanted.filter((one) => dateOf(one) === date).length),
      );
    }),
    { numRuns: 20 },
  );
});

test('types and field ids are those of the schema; everything is required', async () => {
  const dir = await logOf(fc.sample(frame, { numRuns: 5, seed: 1 }));
  const [file] = encoder.run(job(dir, 0, 5));
  const path = join(lakeDir, file?.path as string);
  assert.deepEqual(await describe(path), [
    ['sequence', 'BIGINT'],
    ['receive_timestamp', 'TIMESTAMP WITH TIME ZONE'],
    ['kind', 'VARCHAR'],
    ['connection', 'INTEGER'],
    ['raw_frame', 'BLOB'],
    ['receive_date', 'DATE'],
  ]);
  const ids = await fieldIds(path);
  ids.delete('arrow_schema');
  assert.deepEqual(
    [...ids],
    BRONZE.columns.map(({ name, id }) => [name, id]),
  );
  const optional = await query(
    `SELECT name FROM parquet_schema('${path}') WHERE repetition_type = 'OPTIONAL'`,
  );
  assert.deepEqual(optional, []);
});

test('more frames, or more bytes, than a file may have become several files', async () => {
  const at = { kind: 0, connection: 0, receiveTimeUs: MIDNIGHT_US };
  const many = function* (): Generator<TestFrame> {
    for (let i = 0; i <= ROWS_PER_FILE_MAX; i++) yield { ...at, bytes: Buffer.from(`${i}`) };
  };
  const manyFiles = encoder.run(job(await logOf(many()), 0, ROWS_PER_FILE_MAX + 1));
  assert.deepEqual(
    manyFiles.map(({ rows }) => rows),
    [ROWS_PER_FILE_MAX, 1],
  );
  const paths = manyFiles.map(({ path }) => `'${join(lakeDir, path)}'`).join(', ');
  const [checks] = await query(
    `SELECT count(DISTINCT "sequence")::INT AS frames, count(*) FILTER (raw_frame::VARCHAR <> "sequence"::VARCHAR)::INT AS wrong
     FROM read_parquet([${paths}], hive_partitioning=false)`,
  );
  assert.deepEqual(checks, { frames: ROWS_PER_FILE_MAX + 1, wrong: 0 });

  // 18 frames of the largest size are 72 MiB.
  const largest = Array.from({ length: 18 }, (_, i) => ({
    ...at,
    bytes: Buffer.alloc(FRAME_BYTES_MAX, `frame ${i}`),
  }));
  const largeFiles = encoder.run(job(await logOf(largest), 0, largest.length));
  assert.deepEqual(
    largeFiles.map(({ rows }) => rows),
    [16, 2],
  );
  const read = await Promise.all(
    largeFiles.map(({ path }) =>
      rowsOf(join(lakeDir, path), 'octet_length(raw_frame)::INT AS bytes, md5(raw_frame) AS md5'),
    ),
  );
  const expected = largest.map(({ bytes }) => ({
    bytes: bytes.length,
    md5: createHash('md5').update(bytes).digest('hex'),
  }));
  assert.deepEqual(read.flat(), expected);
});

test('what the log has lost is left out, what it still proves is there', async () => {
  const frames = fc.sample(frame, { numRuns: 70, seed: 7 });
  const dir = await logOf(frames, 600);
  const [, second] = listSegments(disk, dir);
  const fd = disk.open(segmentPath(dir, second as number), 'update');
  disk.write(fd, Buffer.alloc(8, 0xff), 0, 8, 110); // inside its first block
  disk.close(fd);
  const { frames: left, skipped } = readLog(disk, 0, dir);
  assert.ok(skipped > 0 && left.length === frames.length - skipped);
  const files = encoder.run(job(dir, 0, frames.length));
  assert.deepEqual(await tableRows(files), left.map(rowOf));
});
