/** DuckDB as the second opinion on our files: the rows of a query as plain JSON values. */
import { rmSync, statSync } from 'node:fs';
import { DuckDBInstance } from '@duckdb/node-api';

const instance = await DuckDBInstance.create(':memory:');
const connection = await instance.connect();
await connection.run("SET TimeZone = 'UTC'");

export type Json = Record<string, unknown>;

export async function query(sql: string): Promise<Json[]> {
  return (await connection.runAndReadAll(sql)).getRowObjectsJson();
}

/** Column name and type, in order, as DuckDB sees the file. */
export async function describe(path: string): Promise<[string, string][]> {
  const rows = await query(
    `DESCRIBE SELECT * FROM read_parquet('${path}', hive_partitioning=false)`,
  );
  return rows.map((row) => [String(row.column_name), String(row.column_type)]);
}

/** Field id of every named part of the file's schema; undefined where there is none. */
export async function fieldIds(path: string): Promise<Map<string, number | undefined>> {
  const rows = await query(`SELECT name, field_id FROM parquet_schema('${path}')`);
  return new Map(
    rows.map(({ name, field_id }) => [
      String(name),
      field_id === null ? undefined : Number(field_id),
    ]),
  );
}

/** The file's rows, in the order they are stored in. */
export async function rowsOf(path: string, columns: string): Promise<Json[]> {
  return query(
    `SELECT ${columns} FROM read_parquet('${path}', hive_partitioning=false, file_row_number=true)
     ORDER BY file_row_number`,
  );
}

/** Bytes of a file with the same rows in the same order, zstd, by DuckDB's own writer. */
export async function duckdbBytes(path: string): Promise<number> {
  const copy = `${path}.by-duckdb`;
  await query(
    `COPY (SELECT * FROM read_parquet('${path}', hive_partitioning=false)) TO '${copy}' (FORMAT parquet, COMPRESSION zstd)`,
  );
  const { size } = statSync(copy);
  rmSync(copy);
  return size;
}
