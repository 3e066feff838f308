/**
 * A process that publishes into a bucket, killed with kill -9 at every step of a commit: the tables open
 * all the while, the next start finishes the epoch, and nothing is left in the bucket that is not named.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { COMMIT_STEPS } from '#src/iceberg/commit-steps';
import { publishEpoch } from '#src/supervision/data-directory';
import { seeTableIn } from '#tests/iceberg/independent-reader';
import { CANDLES, GOLD } from '#tests/iceberg/lake-model';
import { commitEpoch, epochFiles, openDirectory } from '#tests/iceberg/real-lake';
import { BUCKET, S3Server } from '#tests/support/s3-server';

const PREFIX = 'killed';

test('kill -9 at every step of publishing into a bucket', async (t) => {
  const server = new S3Server();
  await server.listen();
  const dir = mkdtempSync(join(tmpdir(), 'bullion-s3-kill-'));
  t.after(async () => {
    rmSync(dir, { recursive: true, force: true });
    await server.close();
  });
  const env = server.environment(PREFIX);
  Object.assign(process.env, {
    AWS_ACCESS_KEY_ID: env.AWS_ACCESS_KEY_ID,
    AWS_SECRET_ACCESS_KEY: env.AWS_SECRET_ACCESS_KEY,
  });
  const open = () => openDirectory(dir, undefined, env);
  const victim = fileURLToPath(new URL('kill-victim.js', import.meta.url));
  const kill = async (epoch: number, step: string, table: string): Promise<void> => {
    const args = [victim, dir, String(epoch), step, table];
    const child = spawn(process.execPath, args, {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: { ...process.env, ...env },
    });
    assert.deepEqual(await once(child, 'exit'), [null, 'SIGKILL'], `${step} of ${table}`);
  };
  const read = (path: string) => server.objects.get(`${PREFIX}/${path}`);
  const see = (table: string) => seeTableIn({ uri: `s3://${BUCKET}/${PREFIX}`, read }, table);

  const first = await open();
  const before = epochFiles(1);
  await publishEpoch(first, await commitEpoch(first, before), before);
  await first.close();
  for (const [i, step] of COMMIT_STEPS.entries()) {
    const table = i % 2 === 0 ? GOLD : CANDLES;
    const at = `${step} of ${table}`;
    const epoch = i + 2;
    await kill(epoch, step, table);
    // Whoever reads meanwhile sees this epoch or the one before, whole.
    const gold = (await see(GOLD)).files.size;
    assert.ok(gold === epoch - 1 || gold === epoch, at);
    assert.equal((await see(CANDLES)).files.size, 1, at);
    // What a kill may leave: a file that was sent and that no epoch names.
    server.objects.set(
      `${PREFIX}/${GOLD}/data/exchange_date=2026-11-23/exchange_hour=07/left.parquet`,
      Buffer.alloc(1),
    );

    const next = await open();
    assert.equal(next.store.epoch().publishedEpoch, epoch, at);
    const seen = await see(GOLD);
    const named = [...next.store.allLivePaths(), ...next.store.removedFiles().map((f) => f.path)];
    assert.deepEqual(
      [...seen.files.keys()].sort(),
      Array.from(next.store.files(GOLD), ({ path }) => path).sort(),
      at,
    );
    assert.deepEqual(
      seen.snapshots.map((snapshot) => snapshot.epoch),
      Array.from({ length: epoch }, (_, k) => k + 1),
      'one snapshot an epoch',
    );
    const data = [...server.objects.keys()].filter((key) => key.endsWith('.parquet'));
    assert.deepEqual(data.sort(), named.map((path) => `${PREFIX}/${path}`).sort(), at);
    await next.close();
  }
});
