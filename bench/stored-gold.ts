/** What the gold files of a data directory hold, as another engine reads them. */
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';

export interface StoredGold {
  readonly rows: number;
  /** Exact sum of all quantities x 10^8, as text. */
  readonly volume: string;
  /** Exact sum of platform_sequence, as text: which copy of a trade was kept. */
  readonly sequences: string;
}

export async function storedGold(dataDir: string): Promise<StoredGold> {
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  const files = join(dataDir, 'lake/gold_crypto_trades/data/**/*.parquet');
  const result = await connection.runAndReadAll(
    `SELECT count(*), (sum(quantity) * 100000000)::HUGEINT, sum(platform_sequence::HUGEINT)
    FROM read_parquet('${files}', hive_partitioning = false)`,
  );
  const [rows, volume, sequences] = result.getRows()[0] as bigint[];
  connection.closeSync();
  instance.closeSync();
  return { rows: Number(rows), volume: String(volume), sequences: String(sequences) };
}
