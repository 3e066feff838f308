import assert from 'node:assert/strict';
import test from 'node:test';
import { EXIT, UserError } from '#src/base/errors';
import { type LakeDisk, stageFile } from '#src/lake/file-sink';

const file = {
  table: 'gold_crypto_trades',
  partition: 'exchange_date=2026-11-23/exchange_hour=04',
  name: 'gold-0-7',
  rows: 1,
  bytes: Uint8Array.of(1, 2, 3),
};
const folder = '/lake/gold_crypto_trades/data/exchange_date=2026-11-23/exchange_hour=04';

function recordingDisk(fail: (call: string) => boolean = () => false) {
  const calls: string[] = [];
  const call = (name: string): void => {
    calls.push(name);
    if (fail(name)) throw Object.assign(new Error(name), { code: 'ENOSPC' });
  };
  const disk: LakeDisk = {
    makeDirectory: (path) => call(`mkdir ${path}`),
    writeDurably: (path, bytes) => call(`write ${path} ${bytes.length}`),
    rename: (from, to) => call(`rename ${from} ${to}`),
    syncDirectory: (path) => call(`sync ${path}`),
  };
  return { disk, calls };
}

test('a file appears under its name only when it is whole and durable', () => {
  const { disk, calls } = recordingDisk();
  const staged = stageFile({ lakeDir: '/lake', disk }, file);
  const target = `${folder}/gold-0-7.parquet`;
  assert.deepEqual(calls, [
    `mkdir ${folder}`,
    `write ${target}.tmp 3`,
    `rename ${target}.tmp ${target}`,
    `sync ${folder}`,
  ]);
  assert.deepEqual(staged, {
    table: file.table,
    partition: file.partition,
    path: `gold_crypto_trades/data/${file.partition}/gold-0-7.parquet`,
    rows: 1,
    bytes: 3,
    sha256: '039058c6f2c0cb492c533b0a4d14ef77cc0f78abccced5287d84a1a2011cfb81',
  });
});

test('whichever call the disk fails, the error names the file and nothing later is tried', () => {
  for (const name of ['mkdir', 'write', 'rename', 'sync']) {
    const { disk, calls } = recordingDisk((call) => call.startsWith(name));
    assert.throws(
      () => stageFile({ lakeDir: '/lake', disk }, file),
      (error) =>
        error instanceof UserError &&
        error.exitCode === EXIT.io &&
        /gold-0-7\.parquet \(ENOSPC\)/.test(error.message),
    );
    assert.ok(calls.at(-1)?.startsWith(name));
  }
});

test('a bug is not taken for a disk error', () => {
  const { disk } = recordingDisk();
  const broken = { ...disk, rename: () => assert.fail('a bug') };
  assert.throws(() => stageFile({ lakeDir: '/lake', disk: broken }, file), assert.AssertionError);
});
