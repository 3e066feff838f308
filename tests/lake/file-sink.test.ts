import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import test from 'node:test';
import { type DataType, Field, Int32, Schema } from 'apache-arrow';
import type { Disk } from '#src/base/disk';
import { EXIT, UserError } from '#src/base/errors';
import { nodeDisk } from '#src/base/node-disk';
import { fixedData, recordBatch } from '#src/lake/arrow-buffers';
import { fileMetrics } from '#src/lake/file-metrics';
import { stageFile } from '#src/lake/file-sink';
import { IpcStream } from '#src/lake/ipc-stream';
import { encodeParquet, STEPS } from '#src/lake/parquet-writer';
import { temporaryDirectory } from '#tests/support/temporary-directory';

const file = {
  table: 'gold_crypto_trades',
  partition: 'exchange_date=2026-11-23/exchange_hour=04',
  name: 'gold-0-7',
  rows: 1,
  bytes: parquetFile(),
};
const path = `gold_crypto_trades/data/${file.partition}/gold-0-7.parquet`;

function parquetFile(): Uint8Array {
  const schema = new Schema([
    new Field('id', new Int32(), false, new Map([['PARQUET:field_id', '1']])),
  ]);
  const ipc = new IpcStream();
  ipc.begin(schema);
  const ids = (type: DataType) => fixedData(type, 3, Int32Array.of(1, 2, 3));
  ipc.write(recordBatch(schema, 3, { id: ids }));
  return encodeParquet(ipc.end(), { columns: {}, others: STEPS });
}

/** The machine's disk, whose calls are listed and the one chosen fails. */
function watchedDisk(failing?: keyof Disk, error: object = { code: 'ENOSPC' }) {
  const calls: string[] = [];
  const disk = new Proxy(nodeDisk(), {
    get(real, name: keyof Disk) {
      return (...args: never[]) => {
        calls.push(name);
        if (name === failing) throw Object.assign(new Error(`${name} failed`), error);
        return (real[name] as (...args: never[]) => unknown)(...args);
      };
    },
  });
  return { disk, calls };
}

test('a file appears under its name only when it is whole and durable', (t) => {
  const lakeDir = temporaryDirectory(t, 'lake');
  const { disk, calls } = watchedDisk();
  assert.deepEqual(stageFile({ lakeDir, disk }, file), {
    table: file.table,
    partition: file.partition,
    path,
    rows: 1,
    bytes: file.bytes.length,
    sha256: createHash('sha256').update(file.bytes).digest('hex'),
    metrics: fileMetrics(file.bytes),
  });
  assert.deepEqual(readFileSync(join(lakeDir, path)), Buffer.from(file.bytes));
  assert.deepEqual(calls.slice(calls.indexOf('open')), [
    'open',
    'write',
    'fsync',
    'close',
    'rename',
    'syncDirectory',
  ]);
});

test('whichever call the disk fails, the error names the file and it does not half appear', (t) => {
  for (const failing of ['mkdir', 'open', 'write', 'fsync', 'rename'] as const) {
    const lakeDir = temporaryDirectory(t, 'lake');
    const { disk } = watchedDisk(failing);
    assert.throws(
      () => stageFile({ lakeDir, disk }, file),
      (error) =>
        error instanceof UserError &&
        error.exitCode === EXIT.io &&
        /gold-0-7\.parquet \(ENOSPC\)/.test(error.message),
      failing,
    );
    const folder = join(lakeDir, dirname(path));
    assert.deepEqual(existsSync(folder) ? readdirSync(folder) : [], []);
  }
});

test('a folder that could not be synced is an error too', (t) => {
  const { disk } = watchedDisk('syncDirectory', { code: 'EIO' });
  assert.throws(() => stageFile({ lakeDir: temporaryDirectory(t, 'lake'), disk }, file), /\(EIO\)/);
});

test('a bug is not taken for a disk error', (t) => {
  const { disk } = watchedDisk('rename', { code: 'ERR_INVALID_ARG_TYPE' });
  assert.throws(
    () => stageFile({ lakeDir: temporaryDirectory(t, 'lake'), disk }, file),
    (error) => !(error instanceof UserError),
  );
});
