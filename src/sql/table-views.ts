/**
 * The tables as SQL: a view over exactly the data files of each, one with the table's columns and
 * no rows where there is none, or one that cannot be read and says why.
 */
import type { ColumnType } from '#schemas/schema';
import type { QueryTable } from '#src/sql/query-request';

export function createView(
  namespace: string,
  { name, columns, paths = [], closed }: QueryTable,
): string {
  const view = `CREATE VIEW ${identifier(namespace)}.${identifier(name)} AS SELECT`;
  if (paths.length === 0) {
    const empty = columns.map((column) => {
      return `CAST(NULL AS ${sqlType(column.type)}) AS ${identifier(column.name)}`;
    });
    return `${view} ${empty.join(', ')} WHERE ${closed === undefined ? 'false' : `error(${text(closed)})`}`;
  }
  const names = columns.map((column) => identifier(column.name)).join(', ');
  // Without hive_partitioning=false the folder names would become, or replace, columns.
  return `${view} ${names} FROM read_parquet(${textList(paths)}, hive_partitioning=false)`;
}

export function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

export function text(value: string): string {
  return `'${value.replaceAll("'", "''")}'`;
}

export function textList(values: readonly string[]): string {
  return `[${values.map(text).join(', ')}]`;
}

function sqlType(type: ColumnType): string {
  if (typeof type !== 'string') return 'list' in type ? 'VARCHAR[]' : 'MAP(VARCHAR, VARCHAR)';
  switch (type) {
    case 'int':
      return 'INTEGER';
    case 'long':
      return 'BIGINT';
    case 'string':
      return 'VARCHAR';
    case 'binary':
      return 'BLOB';
    case 'timestamptz':
      return 'TIMESTAMPTZ';
    default:
      return type; // boolean, date and decimal(p, s) are called the same
  }
}
