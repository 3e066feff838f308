/**
 * Avro object container files; the records are written and read by avsc. The same records give the
 * same bytes: the sync marker, which only has to be unlikely in the data, follows from the file's own
 * header.
 *
 * The frame around the records is ours. avsc's streams build the type anew from the schema for every
 * file they touch, which was half of what it costs to publish an epoch, and would write a header
 * without `field-id`, `element-id` and `logicalType` from a type that is kept: Iceberg goes by field
 * ids. avsc's longs end at 2^53; so do ours, and a larger one in a file of somebody else is refused,
 * not rounded.
 */
import { createHash } from 'node:crypto';
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import avro from 'avsc';
import { assert } from '#src/base/errors';

/** An Avro schema as JSON, with Iceberg's attributes. */
export type AvroSchema = string | readonly AvroSchema[] | { readonly [attribute: string]: unknown };

export interface AvroFile {
  readonly schema: AvroSchema;
  /** Key-value metadata of the header. */
  readonly metadata: Readonly<Record<string, string>>;
  readonly records: readonly unknown[];
}

interface Header {
  readonly magic: Buffer;
  readonly meta: Readonly<Record<string, Buffer>>;
  readonly sync: Buffer;
}

interface Block {
  /** Of records. */
  readonly count: number;
  readonly data: Buffer;
  readonly sync: Buffer;
}

const MAGIC = Buffer.from('Obj\x01');
const SYNC_MARKER_BYTES = 16;
/** Of records, before they are compressed. */
const BLOCK_BYTES = 65_536;

const SYNC = { name: 'sync', type: { type: 'fixed', name: 'Sync', size: SYNC_MARKER_BYTES } };
const HEADER = avro.Type.forSchema({
  type: 'record',
  name: 'Header',
  fields: [
    { name: 'magic', type: { type: 'fixed', name: 'Magic', size: MAGIC.length } },
    { name: 'meta', type: { type: 'map', values: 'bytes' } },
    SYNC,
  ],
} as avro.Schema);
const BLOCK = avro.Type.forSchema({
  type: 'record',
  name: 'Block',
  fields: [{ name: 'count', type: 'long' }, { name: 'data', type: 'bytes' }, SYNC],
} as avro.Schema);

/** More than the tables and their lists have. */
const TYPES_MAX = 32;
const types = new Map<string, avro.Type>();

/** The type of a schema's text, made once. */
function typeOf(schema: string): avro.Type {
  let type = types.get(schema);
  if (type === undefined) {
    type = avro.Type.forSchema(JSON.parse(schema));
    if (types.size === TYPES_MAX) types.clear(); // somebody else's files
    types.set(schema, type);
  }
  return type;
}

export function encodeAvro({ schema, metadata, records }: AvroFile): Buffer {
  const text = JSON.stringify(schema);
  const type = typeOf(text);
  const marked = JSON.stringify([schema, metadata]);
  const sync = createHash('sha256').update(marked).digest().subarray(0, SYNC_MARKER_BYTES);
  const meta = Object.entries({ 'avro.schema': text, 'avro.codec': 'deflate', ...metadata });
  const header: Header = {
    magic: MAGIC,
    meta: Object.fromEntries(meta.map(([key, value]) => [key, Buffer.from(value)])),
    sync,
  };
  const file = [HEADER.toBuffer(header)];
  let rows: Buffer[] = [];
  let bytes = 0;
  const cut = (): void => {
    if (rows.length === 0) return;
    const block: Block = { count: rows.length, data: deflateRawSync(Buffer.concat(rows)), sync };
    file.push(BLOCK.toBuffer(block));
    rows = [];
    bytes = 0;
  };
  for (const record of records) {
    const row = type.toBuffer(record);
    if (bytes + row.length > BLOCK_BYTES) cut();
    rows.push(row);
    bytes += row.length;
  }
  cut();
  return Buffer.concat(file);
}

/** The records of a container file, and its metadata. */
export function decodeAvro<T>(bytes: Uint8Array): {
  metadata: Record<string, string>;
  records: T[];
} {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const [{ magic, meta, sync }, start] = next<Header>(HEADER, file, 0);
  assert(magic.equals(MAGIC), 'an Avro file does not start as one');
  const metadata = Object.fromEntries(
    Object.entries(meta).map(([key, value]) => [key, value.toString()]),
  );
  const codec = metadata['avro.codec'] ?? 'null';
  assert(codec === 'deflate' || codec === 'null', `an Avro file is compressed with ${codec}`);
  const type = typeOf(metadata['avro.schema'] ?? '');
  const records: T[] = [];
  for (let at = start; at < file.length; ) {
    const [block, end] = next<Block>(BLOCK, file, at);
    assert(end > at, 'a block of an Avro file has no length');
    assert(block.sync.equals(sync), 'a block of an Avro file does not end with the sync marker');
    const data = codec === 'deflate' ? inflateRawSync(block.data) : block.data;
    let from = 0;
    for (let row = 0; row < block.count; row++) {
      const [record, to] = next<T>(type, data, from);
      records.push(record);
      from = to;
    }
    assert(from === data.length, 'a block of an Avro file holds more than its records');
    at = end;
  }
  return { metadata, records };
}

/** What stands at `at`, and where it ends. */
function next<T>(type: avro.Type, bytes: Buffer, at: number): [T, number] {
  const { value, offset } = type.decode(bytes, at) as { value: T; offset: number };
  // -1 where the bytes end too early; a length below 0 would lead backwards.
  assert(offset >= at, 'an Avro file ends early');
  return [value, offset];
}
