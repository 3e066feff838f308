/** The command line as a person runs it, and a data directory made of the recorded captures. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { EXCHANGES, exchangeKey } from '#schemas/exchange';

const CLI = fileURLToPath(new URL('../../cli.js', import.meta.url));

export interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export function bullion(dataDir: string, ...args: readonly string[]): Ended {
  const { status, stdout, stderr } = spawnSync(process.execPath, [CLI, ...args], {
    encoding: 'utf8',
    maxBuffer: 256 * 1024 * 1024,
    env: {
      ...process.env,
      BULLION_DATA_DIR: dataDir,
      // Small enough that the largest capture fills a segment.
      BULLION_BRONZE_SEGMENT_MB: '1',
      BULLION_LOG_LEVEL: 'warn',
    },
  });
  return { status, stdout, stderr };
}

export interface ImportedCaptures {
  readonly dataDir: string;
  remove(): void;
}

/** Imports one capture per exchange into a fresh directory. */
export function importCaptures(captures: string): ImportedCaptures {
  const dataDir = mkdtempSync(join(tmpdir(), 'bullion-cli-'));
  for (const exchange of EXCHANGES) {
    const key = exchangeKey(exchange);
    const file = join(captures, `${key}-btc-eth-2026-07-07.ndjson`);
    const { status, stderr } = bullion(
      dataDir,
      ...['import', '--exchange', key, '--format', 'frames', file],
    );
    if (status !== 0) throw new Error(`import of ${file} ended with ${status}: ${stderr}`);
  }
  return { dataDir, remove: () => rmSync(dataDir, { recursive: true, force: true }) };
}
