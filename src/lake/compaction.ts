/**
 * A compaction: the rows of several files of one partition in one new, sorted file.
 *
 *   read and check every input (SHA-256, rows) -> order -> write -> read back -> compare the
 *   digest of all rows and their number with the inputs'
 *
 * It only stages a file; the inputs are untouched until an epoch names the file in their place.
 * What does not fit into memory together is left for another time: the answer says which inputs
 * the file stands for.
 */
import type { Data, Table } from 'apache-arrow';
import { assert } from '#src/base/errors';
import { structBatch } from '#src/lake/arrow-buffers';
import { arrowSchema } from '#src/lake/arrow-schema';
import { COMPACTED_TABLES, type CompactedTable } from '#src/lake/compaction-tables';
import { type FileSink, stageFile } from '#src/lake/file-sink';
import { GATHER_ROWS } from '#src/lake/gather';
import { IpcStream } from '#src/lake/ipc-stream';
import { encodeParquet } from '#src/lake/parquet-writer';
import { RowDigest } from '#src/lake/row-digest';
import { gatherColumn } from '#src/lake/row-gather';
import { orderRows } from '#src/lake/row-order';
import type { StagedFile } from '#src/lake/staged-file';
import { decodeDataFile } from '#src/lake/table-reader';

export interface CompactionInput {
  readonly path: string;
  readonly partition: string;
  readonly rows: number;
  readonly sha256: string;
}

export interface CompactionJob {
  readonly table: string;
  readonly partition: string;
  /** In the order in which they should be taken if not all fit. */
  readonly inputs: readonly CompactionInput[];
  /** File name without its extension; unique in the data directory. */
  readonly name: string;
}

export interface CompactionResult {
  /** Undefined when fewer than two inputs fit into memory together. */
  readonly file: StagedFile | undefined;
  /** Paths of the inputs whose rows it holds. */
  readonly inputs: readonly string[];
}

/** Decoded inputs held at once: a million trades take 160 MB, and are held about three times. */
const DECODED_BYTES_MAX = 192 * 1024 * 1024;

/** Data files of the warehouse, by their path. */
export interface CompactedFiles {
  readonly read: (path: string) => Promise<Uint8Array>;
  /** Sends a staged file on to where it can be read. */
  readonly deliver: (path: string) => Promise<void>;
}

export async function compact(
  sink: FileSink,
  files: CompactedFiles,
  job: CompactionJob,
): Promise<CompactionResult> {
  const table = COMPACTED_TABLES.get(job.table);
  assert(table !== undefined, `${job.table} is not a table whose files add up`);
  const { digest, inputs, bytes } = await merge(files, table, job);
  if (bytes === undefined) return { file: undefined, inputs: [] };
  const { partition, name } = job;
  const rows = digest.rows;
  const file = stageFile(sink, { table: table.name, partition, name, rows, bytes });
  await files.deliver(file.path);
  const written = new RowDigest();
  written.add(columnsOf(table, await decodeDataFile(files.read, file)));
  assert(
    written.text === digest.text,
    `${file.path} holds other rows (${written.text}) than the files it is made of (${digest.text})`,
  );
  return { file, inputs };
}

interface Merged {
  readonly digest: RowDigest;
  readonly inputs: readonly string[];
  readonly bytes: Uint8Array | undefined;
}

/** A function of its own, so that the decoded inputs are gone when the output is read back. */
async function merge(
  { read }: CompactedFiles,
  table: CompactedTable,
  { inputs, partition }: CompactionJob,
): Promise<Merged> {
  const digest = new RowDigest();
  const batches: (readonly Data[])[] = [];
  const taken: string[] = [];
  let decodedBytes = 0;
  for (const input of inputs) {
    assert(input.partition === partition, `${input.path} is not of partition ${partition}`);
    const columns = columnsOf(table, await decodeDataFile(read, input));
    const bytes = columns.reduce((sum, { byteLength }) => sum + byteLength, 0);
    if (decodedBytes + bytes > DECODED_BYTES_MAX) continue;
    const rows = columns[0]?.length ?? 0;
    assert(rows === input.rows, `${input.path} has ${rows} rows, not ${input.rows}`);
    decodedBytes += bytes;
    digest.add(columns);
    batches.push(columns);
    taken.push(input.path);
  }
  if (taken.length < 2) return { digest, inputs: [], bytes: undefined };
  return { digest, inputs: taken, bytes: encodeSorted(table, batches) };
}

function encodeSorted(table: CompactedTable, batches: readonly (readonly Data[])[]): Uint8Array {
  const { columns } = table.schema;
  const column = (k: number): Data[] => batches.map((batch) => batch[k] as Data);
  const order = orderRows(
    table.keys((name) => column(columns.findIndex((candidate) => candidate.name === name))),
  );
  const schema = arrowSchema(table.schema, table.dictionaries);
  const gathers = schema.fields.map(({ type }, k) => gatherColumn(type, column(k)));
  const starts: number[] = [];
  const sourceOf = new Uint16Array(order.length);
  let start = 0;
  for (const [source, batch] of batches.entries()) {
    starts.push(start);
    sourceOf.fill(source, start, start + (batch[0] as Data).length);
    start += (batch[0] as Data).length;
  }
  const ipc = new IpcStream();
  ipc.begin(schema);
  const source = new Uint16Array(GATHER_ROWS);
  const row = new Int32Array(GATHER_ROWS);
  for (let at = 0; at < order.length; at += GATHER_ROWS) {
    const count = Math.min(GATHER_ROWS, order.length - at);
    for (let i = 0; i < count; i++) {
      source[i] = sourceOf[order[at + i]];
      row[i] = order[at + i] - starts[source[i]];
    }
    const children = gathers.map((gather) => gather({ source, row, count }));
    ipc.write(structBatch(schema, count, children));
  }
  return encodeParquet(ipc.end(), table.layout);
}

/** A file's columns in the schema's order, each in one piece. */
function columnsOf({ name, schema }: CompactedTable, arrow: Table): Data[] {
  return schema.columns.map((column) => {
    const vector = arrow.getChild(column.name);
    const [data] = vector?.data ?? [];
    const whole = data !== undefined && vector?.data.length === 1;
    assert(whole, `column ${column.name} of ${name} is in ${vector?.data.length} pieces`);
    return data;
  });
}
