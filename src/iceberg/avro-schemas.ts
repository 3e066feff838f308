/**
 * The Avro schemas of manifest files and manifest lists, by the table in the Iceberg specification.
 * Readers match fields by id; names and order are those of Iceberg's own writer.
 */
import type { AvroSchema } from '#src/iceberg/avro-file';
import { PARTITION_FIELD_ID_FIRST } from '#src/iceberg/schema-json';
import type { PartitionField } from '#src/iceberg/table-definition';

const DATE = { type: 'int', logicalType: 'date' };

function required(id: number, name: string, type: AvroSchema): AvroSchema {
  return { name, type, 'field-id': id };
}

function optional(id: number, name: string, type: AvroSchema): AvroSchema {
  return { name, type: ['null', type], default: null, 'field-id': id };
}

function record(name: string, fields: readonly AvroSchema[]): AvroSchema {
  return { type: 'record', name, fields };
}

/** Avro maps have string keys only: a map by field id is an array of pairs. */
function mapByFieldId(keyId: number, valueId: number, value: AvroSchema): AvroSchema {
  const fields = [required(keyId, 'key', 'int'), required(valueId, 'value', value)];
  return { type: 'array', logicalType: 'map', items: record(`k${keyId}_v${valueId}`, fields) };
}

function list(elementId: number, items: AvroSchema): AvroSchema {
  return { type: 'array', items, 'element-id': elementId };
}

/** One field of the partition tuple per partition field, under the same id. */
function partitionRecord(fields: readonly PartitionField[]): AvroSchema {
  return record(
    'r102',
    fields.map(({ name, type }, i) =>
      optional(PARTITION_FIELD_ID_FIRST + i, name, type === 'date' ? DATE : 'int'),
    ),
  );
}

export function manifestEntrySchema(partition: readonly PartitionField[]): AvroSchema {
  const dataFile = record('r2', [
    required(134, 'content', 'int'),
    required(100, 'file_path', 'string'),
    required(101, 'file_format', 'string'),
    required(102, 'partition', partitionRecord(partition)),
    required(103, 'record_count', 'long'),
    required(104, 'file_size_in_bytes', 'long'),
    optional(108, 'column_sizes', mapByFieldId(117, 118, 'long')),
    optional(109, 'value_counts', mapByFieldId(119, 120, 'long')),
    optional(110, 'null_value_counts', mapByFieldId(121, 122, 'long')),
    optional(125, 'lower_bounds', mapByFieldId(126, 127, 'bytes')),
    optional(128, 'upper_bounds', mapByFieldId(129, 130, 'bytes')),
    optional(132, 'split_offsets', list(133, 'long')),
    optional(140, 'sort_order_id', 'int'),
  ]);
  return record('manifest_entry', [
    required(0, 'status', 'int'),
    optional(1, 'snapshot_id', 'long'),
    optional(3, 'sequence_number', 'long'),
    optional(4, 'file_sequence_number', 'long'),
    required(2, 'data_file', dataFile),
  ]);
}

const FIELD_SUMMARY = record('r508', [
  required(509, 'contains_null', 'boolean'),
  optional(518, 'contains_nan', 'boolean'),
  optional(510, 'lower_bound', 'bytes'),
  optional(511, 'upper_bound', 'bytes'),
]);

export const MANIFEST_LIST_SCHEMA = record('manifest_file', [
  required(500, 'manifest_path', 'string'),
  required(501, 'manifest_length', 'long'),
  required(502, 'partition_spec_id', 'int'),
  required(517, 'content', 'int'),
  required(515, 'sequence_number', 'long'),
  required(516, 'min_sequence_number', 'long'),
  required(503, 'added_snapshot_id', 'long'),
  required(504, 'added_files_count', 'int'),
  required(505, 'existing_files_count', 'int'),
  required(506, 'deleted_files_count', 'int'),
  required(512, 'added_rows_count', 'long'),
  required(513, 'existing_rows_count', 'long'),
  required(514, 'deleted_rows_count', 'long'),
  optional(507, 'partitions', list(508, FIELD_SUMMARY)),
]);
