/**
 * Commands that only look, on a state that is damaged as the corruption check damages it: rows or one
 * sentence, never a signal. LMDB believes its pages, so some of these end whoever reads them.
 */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { EXIT } from '#src/base/errors';
import { Random } from '#src/base/random';
import { recordWords, WORD } from '#src/candles/record';
import { StateStore } from '#src/state/store';
import { IntervalSet } from '#src/trades/interval-set';
import {
  CREATED_US,
  candleRecord,
  concatenate,
  epochCommit,
  INSTRUMENTS,
  MINUTE_US,
} from '#tests/state/fixtures';
import { runFile } from '#tests/support/process/bullion-process';
import { temporaryDirectory } from '#tests/support/temporary-directory';
import { injure } from '#tests/verify/corruption/injuries';

const LOOKS = [
  ['gaps'],
  ['candles', '--exchange', 'binance', '--symbol', 'BTCUSDT', '--timeframe', '1m'],
  ['trades'],
  ['jobs'],
  ['dlq', 'list'],
  ['snapshots', 'gold_crypto_trades'],
] as const;
const PAGE = 4_096;
const INJURIES = 18;

/** A state some pages deep, without any data files of trades. */
async function makeState(t: TestContext): Promise<string> {
  const dataDir = join(temporaryDirectory(t), 'data');
  mkdirSync(join(dataDir, 'lake'), { recursive: true });
  const store = await StateStore.open(join(dataDir, 'state'), { createdUs: CREATED_US });
  await store.registerInstruments(INSTRUMENTS);
  const ids = new IntervalSet();
  for (let n = 1; n <= 20; n++) {
    ids.add(2 * n, CREATED_US + n);
    const candles = Array.from({ length: 50 }, (_, i) =>
      traded(candleRecord(0, 0, (50 * n + i) * MINUTE_US, 3, n)),
    );
    const { files } = epochCommit(n);
    await store.commitEpoch(
      epochCommit(n, {
        instruments: [{ instrument: 0, intervals: ids.pack() }],
        candles: concatenate(candles),
        files: files.filter(({ table }) => table !== 'gold_crypto_trades'),
      }),
    );
  }
  await store.close();
  return dataDir;
}

function traded(record: Uint8Array): Uint8Array {
  recordWords(record)[WORD.volume] = 1;
  return record;
}

async function look(dataDir: string, command: readonly string[]) {
  return runFile('cli.js', [...command, '--data-dir', dataDir], { cwd: dataDir, env: {} });
}

async function assertSaid(dataDir: string, command: readonly string[], what: string) {
  const { code, signal, stderr } = await look(dataDir, command);
  assert.equal(signal, null, `${command[0]}, ${what}`);
  if (code === 0) return code;
  assert.equal(code, EXIT.io, `${command[0]}, ${what}: ${stderr}`);
  assert.match(stderr, /^bullion: The state in [^\n]*"bullion rebuild"[^\n]*\.\n$/, what);
  return code;
}

test('a state that is sound answers every look', async (t) => {
  const dataDir = await makeState(t);
  for (const command of LOOKS) {
    const { code, stderr } = await look(dataDir, command);
    assert.equal(code, 0, `${command[0]}: ${stderr}`);
  }
});

test('a state whose pages are gone is one sentence to every look', async (t) => {
  const dataDir = await makeState(t);
  const path = join(dataDir, 'state', 'data.mdb');
  writeFileSync(path, readFileSync(path).subarray(0, 3 * PAGE));
  for (const command of LOOKS) {
    assert.equal(await assertSaid(dataDir, command, 'cut to three pages'), EXIT.io, command[0]);
  }
});

test(`${INJURIES} injuries of a state are rows or one sentence`, async (t) => {
  const dataDir = await makeState(t);
  const path = join(dataDir, 'state', 'data.mdb');
  const random = new Random(11);
  let refused = 0;
  for (let n = 0; n < INJURIES; n++) {
    const { what, undo } = injure(path, [path], random.fork(n));
    const code = await assertSaid(dataDir, LOOKS[n % LOOKS.length]!, what);
    if (code === EXIT.io) refused++;
    undo();
  }
  assert.ok(refused > 0, 'no injury was met');
});
