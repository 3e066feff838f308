/**
 * Avro object container files, by avsc. The same records give the same bytes: the sync marker, which
 * only has to be unlikely in the data, follows from the file's own header.
 *
 * avsc is given the schema as a plain object. From a type it has built itself it would write a header
 * without `field-id`, `element-id` and `logicalType`, and Iceberg goes by field ids. Its longs end at
 * 2^53; so do ours, and a larger one in a file of somebody else is refused, not rounded.
 */
import { createHash } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import avro from 'avsc';

/** An Avro schema as JSON, with Iceberg's attributes. */
export type AvroSchema = string | readonly AvroSchema[] | { readonly [attribute: string]: unknown };

export interface AvroFile {
  readonly schema: AvroSchema;
  /** Key-value metadata of the header. */
  readonly metadata: Readonly<Record<string, string>>;
  readonly records: readonly unknown[];
}

const SYNC_MARKER_BYTES = 16;

type Codec = (bytes: Buffer, done: (error: Error | null, bytes?: Buffer) => void) => void;

/** On this thread: blocks are small, and what comes next waits for them anyway. */
const DEFLATE: Codec = (bytes, done) => done(null, deflateRawSync(bytes));
const INFLATE: Codec = (bytes, done) => {
  try {
    done(null, inflateRawSync(bytes));
  } catch (error) {
    done(error as Error);
  }
};

export async function encodeAvro({ schema, metadata, records }: AvroFile): Promise<Buffer> {
  const header = JSON.stringify([schema, metadata]);
  const options = {
    codec: 'deflate',
    codecs: { deflate: DEFLATE },
    writeHeader: 'always',
    syncMarker: createHash('sha256').update(header).digest().subarray(0, SYNC_MARKER_BYTES),
    metadata: Object.fromEntries(
      Object.entries(metadata).map(([key, value]) => [key, Buffer.from(value)]),
    ),
  } as const;
  const encoder = new avro.streams.BlockEncoder(schema as avro.Schema, options);
  return through(Readable.from(records), encoder);
}

/** The records of a container file, and its metadata. */
export async function decodeAvro<T>(
  bytes: Uint8Array,
): Promise<{ metadata: Record<string, string>; records: T[] }> {
  const decoder = new avro.streams.BlockDecoder({
    codecs: { null: (data, done) => done(null, data), deflate: INFLATE },
  });
  const metadata: Record<string, string> = {};
  decoder.on('metadata', (_type, _codec, header: { meta: Record<string, Buffer> }) => {
    for (const [key, value] of Object.entries(header.meta)) metadata[key] = value.toString();
  });
  const records: T[] = [];
  await pipeline(Readable.from([Buffer.from(bytes)]), decoder, async (decoded) => {
    for await (const record of decoded) records.push(record as T);
  });
  return { metadata, records };
}

async function through(source: Readable, encoder: Duplex): Promise<Buffer> {
  const chunks: Buffer[] = [];
  await pipeline(source, encoder, async (encoded) => {
    for await (const chunk of encoded) chunks.push(chunk as Buffer);
  });
  return Buffer.concat(chunks);
}
