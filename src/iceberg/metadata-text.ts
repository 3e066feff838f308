/**
 * Table metadata as text and back. A text that is JSON and yet not the metadata of a table (one
 * changed bit in the name of a key is enough) is none this program can have written.
 */
import { type TSchema, Type } from '@sinclair/typebox';
import { TypeCompiler } from '@sinclair/typebox/compiler';
import type { TableMetadata } from '#src/iceberg/table-metadata';

const strings = Type.Record(Type.String(), Type.String());
const withFields = (id: string) =>
  Type.Object({ [id]: Type.Integer(), fields: Type.Array(Type.Object({ name: Type.String() })) });

/** What every writer of format version 2 has to write, and Bullion reads. */
const METADATA = TypeCompiler.Compile<TSchema>(
  Type.Object({
    'format-version': Type.Literal(2),
    'table-uuid': Type.String(),
    location: Type.String(),
    'last-sequence-number': Type.Integer(),
    'last-updated-ms': Type.Integer(),
    'last-column-id': Type.Integer(),
    schemas: Type.Array(withFields('schema-id')),
    'current-schema-id': Type.Integer(),
    'partition-specs': Type.Array(withFields('spec-id')),
    'default-spec-id': Type.Integer(),
    'last-partition-id': Type.Integer(),
    'sort-orders': Type.Array(
      Type.Object({ 'order-id': Type.Integer(), fields: Type.Array(Type.Object({})) }),
    ),
    'default-sort-order-id': Type.Integer(),
    properties: strings,
    'current-snapshot-id': Type.Optional(Type.Union([Type.Integer(), Type.Null()])),
    snapshots: Type.Array(
      Type.Object({
        'snapshot-id': Type.Integer(),
        'parent-snapshot-id': Type.Optional(Type.Integer()),
        'sequence-number': Type.Integer(),
        'timestamp-ms': Type.Integer(),
        'manifest-list': Type.String(),
        summary: Type.Intersect([Type.Object({ operation: Type.String() }), strings]),
      }),
    ),
    'snapshot-log': Type.Array(
      Type.Object({ 'timestamp-ms': Type.Integer(), 'snapshot-id': Type.Integer() }),
    ),
    'metadata-log': Type.Array(
      Type.Object({ 'timestamp-ms': Type.Integer(), 'metadata-file': Type.String() }),
    ),
    refs: Type.Record(Type.String(), Type.Object({ 'snapshot-id': Type.Integer() })),
  }),
);

const LONG_DIGITS = /[:[,]\s*-?(\d{16,})(?=\s*[,\]}])/g;

/** JSON; undefined when it is none, or has numbers that JavaScript would round. */
export function parseExactJson(text: string): unknown {
  const numbers = Array.from(text.matchAll(LONG_DIGITS), ([, digits]) => Number(digits));
  if (!numbers.every(Number.isSafeInteger)) return undefined;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/**
 * Metadata from its file; undefined when it is none, or has numbers that JavaScript would round,
 * such as the snapshot ids of other writers.
 */
export function parseMetadata(text: string): TableMetadata | undefined {
  const value = parseExactJson(text);
  return METADATA.Check(value) ? (value as TableMetadata) : undefined;
}
