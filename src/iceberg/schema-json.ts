/**
 * The parts of Iceberg's table metadata that follow from a table's definition alone: schema,
 * partition spec and sort order, in the JSON the format prescribes.
 */
import type { Column, ColumnType } from '#schemas/schema';
import { assert } from '#src/base/errors';
import type { TableDefinition } from '#src/iceberg/table-definition';

export type FieldType =
  | string
  | {
      readonly type: 'list';
      readonly 'element-id': number;
      readonly element: string;
      readonly 'element-required': boolean;
    }
  | {
      readonly type: 'map';
      readonly 'key-id': number;
      readonly key: string;
      readonly 'value-id': number;
      readonly value: string;
      readonly 'value-required': boolean;
    };

export interface SchemaField {
  readonly id: number;
  readonly name: string;
  readonly required: boolean;
  readonly type: FieldType;
  readonly doc: string;
}

export interface SchemaJson {
  readonly type: 'struct';
  readonly 'schema-id': number;
  readonly 'identifier-field-ids': readonly number[];
  readonly fields: readonly SchemaField[];
}

export interface PartitionSpecJson {
  readonly 'spec-id': number;
  readonly fields: readonly {
    readonly 'source-id': number;
    readonly 'field-id': number;
    readonly name: string;
    readonly transform: string;
  }[];
}

export interface SortOrderJson {
  readonly 'order-id': number;
  readonly fields: readonly {
    readonly transform: 'identity';
    readonly 'source-id': number;
    readonly direction: 'asc';
    readonly 'null-order': 'nulls-first';
  }[];
}

/** Ids of partition fields start here; one less means: none. */
export const PARTITION_FIELD_ID_FIRST = 1000;
/** The only partition spec and the only sort order a table of ours has. */
export const SPEC_ID = 0;
export const SORT_ORDER_ID = 1;

export function schemaJson({ schema, unique }: TableDefinition, schemaId: number): SchemaJson {
  return {
    type: 'struct',
    'schema-id': schemaId,
    'identifier-field-ids': unique.map((name) => columnOf(schema.columns, name).id),
    fields: schema.columns.map(({ id, name, required, type, doc }) => ({
      id,
      name,
      required,
      type: fieldType(type),
      doc,
    })),
  };
}

/** The largest field id in use, the parts of lists and maps included. */
export function lastColumnId({ schema }: TableDefinition): number {
  const ids = schema.columns.flatMap(({ id, type }) => {
    if (typeof type === 'string') return [id];
    return 'list' in type ? [id, type.elementId] : [id, type.keyId, type.valueId];
  });
  return Math.max(...ids);
}

export function partitionSpecJson({ schema, partition }: TableDefinition): PartitionSpecJson {
  return {
    'spec-id': SPEC_ID,
    fields: partition.map(({ name, source, transform }, i) => ({
      'source-id': columnOf(schema.columns, source).id,
      'field-id': PARTITION_FIELD_ID_FIRST + i,
      name,
      transform,
    })),
  };
}

export function sortOrderJson({ schema }: TableDefinition): SortOrderJson {
  return {
    'order-id': SORT_ORDER_ID,
    fields: schema.sortedBy.map((name) => ({
      transform: 'identity',
      'source-id': columnOf(schema.columns, name).id,
      direction: 'asc',
      'null-order': 'nulls-first',
    })),
  };
}

function fieldType(type: ColumnType): FieldType {
  if (typeof type === 'string') return type;
  if ('list' in type) {
    return {
      type: 'list',
      'element-id': type.elementId,
      element: type.list,
      'element-required': true,
    };
  }
  const [key, value] = type.map;
  return {
    type: 'map',
    'key-id': type.keyId,
    key,
    'value-id': type.valueId,
    value,
    'value-required': true,
  };
}

function columnOf(columns: readonly Column[], name: string): Column {
  const column = columns.find((candidate) => candidate.name === name);
  assert(column !== undefined, `there is no column ${name}`);
  return column;
}
