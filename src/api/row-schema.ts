/** The JSON form of table rows, for the OpenAPI document: from the same literal as the tables. */
import { type TSchema, Type } from '@sinclair/typebox';
import type { Column } from '#schemas/schema';

export function rowSchema(columns: readonly Omit<Column, 'id'>[], allOptional = false): TSchema {
  const properties = columns.map(({ name, type, required, doc }) => {
    const value = { ...valueSchema(name, type), description: doc } as TSchema;
    const orNull = required ? value : Type.Union([value, Type.Null()]);
    return [name, allOptional ? Type.Optional(orNull) : orNull] as const;
  });
  return Type.Object(Object.fromEntries(properties), { additionalProperties: false });
}

function valueSchema(name: string, type: Column['type']): TSchema {
  if (typeof type !== 'string') {
    return 'list' in type ? Type.Array(Type.String()) : Type.Record(Type.String(), Type.String());
  }
  if (name === 'platform_sequence') return Type.String({ pattern: '^\\d+$' }); // beyond 2^53
  switch (type) {
    case 'int':
    case 'long':
      return Type.Integer();
    case 'boolean':
      return Type.Boolean();
    case 'timestamptz':
      return Type.String({ format: 'date-time' });
    case 'date':
      return Type.String({ format: 'date' });
    case 'string':
    case 'binary':
      return Type.String();
    default:
      return Type.String({ pattern: '^-?\\d+(\\.\\d+)?$' });
  }
}
