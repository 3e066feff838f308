/** What the simulator has found, each as a test that needs no seed. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { type Disk, makeDirectoryDurably } from '#src/base/disk';
import { EXIT, UserError } from '#src/base/errors';
import { Random } from '#src/base/random';
import { LogHead } from '#src/log/log-head';
import { LogReader } from '#src/log/log-reader';
import { LogWriter } from '#src/log/log-writer';
import type { Stoppable } from '#src/runtime/control';
import type { ActorThread } from '#src/supervision/actor-thread';
import { Child } from '#src/supervision/child';
import { failureOf } from '#src/supervision/failure';
import { binanceTrade, serveBinance, startFeed } from '#tests/feed/fake-feed';
import { FakeWorld } from '#tests/feed/fake-world';
import { type CrashStyle, DiskHandle, type Operation, SimDisk } from '#tests/sim/disk';

const LOSES_ALL: CrashStyle = { keepsAll: false, keep: 0, tear: 0 };
const KILLED: CrashStyle = { keepsAll: true, keep: 0, tear: 0 };
const random = new Random(1);

/** A process's hands on the disk; it dies before its nth operation of that kind. */
function handsOn(disk: SimDisk, diesAt?: Operation, nth = 1): DiskHandle {
  let count = 0;
  const hands = new DiskHandle(disk, {
    fault: (operation) =>
      operation === diesAt && ++count === nth ? { dieAfterBytes: 0 } : undefined,
    die: () => {
      hands.dead = true;
    },
    later: (answer) => answer(),
  });
  return hands;
}

function openLog(disk: Disk): LogWriter {
  return LogWriter.open({
    disk,
    dir: '/bronze/kraken',
    exchange: 'kraken',
    head: new LogHead(new SharedArrayBuffer(LogHead.byteSize), 0),
  });
}

test('a directory whose maker was killed before its parent was synced is durable for the next one', () => {
  const first = new SimDisk();
  // The first sync is of the root, which is there already.
  assert.throws(() => makeDirectoryDurably(handsOn(first, 'syncDirectory', 2), '/bronze'));
  const second = first.crash(KILLED, random);
  assert.ok(second.hasDirectory('/bronze'));
  makeDirectoryDurably(handsOn(second), '/bronze');
  assert.ok(second.crash(LOSES_ALL, random).hasDirectory('/bronze'));
});

test('a segment whose maker was killed before its name was durable keeps what is acknowledged later', async () => {
  const first = new SimDisk();
  makeDirectoryDurably(handsOn(first), '/bronze/kraken');
  const frame = Buffer.from('{}');
  const killed = openLog(handsOn(first, 'syncDirectory', 4));
  killed.append(frame, 0, 1, 1);
  assert.throws(() => killed.flush());
  const second = first.crash(KILLED, random);
  const [name = ''] = second.list('/bronze/kraken').filter((found) => found.endsWith('.log'));
  assert.ok(!second.isNameDurable(`/bronze/kraken/${name}`), name);
  assert.notEqual(name, '');
  const writer = openLog(handsOn(second));
  writer.append(frame, 0, 1, 2);
  writer.flush();
  await writer.sync();
  const acknowledged = writer.durableThrough;
  assert.ok(acknowledged > 0);
  const third = handsOn(second.crash(LOSES_ALL, random));
  const reader = LogReader.open({ disk: third, dir: '/bronze/kraken', fromSequence: 0 });
  let frames = 0;
  while (reader.next()) frames++;
  assert.equal(frames, acknowledged);
});

test('a gap of the ledger is fetched although nothing of its instrument has come in yet', async () => {
  const world = new FakeWorld();
  serveBinance(world);
  world.onGet = () => ({ status: 200, text: '[]' });
  const { session } = startFeed(world, 'BINANCE', ['BTCUSDT', 'ETHUSDT'], { channel: 'trade' });
  await world.run(2_000);
  world.last.frame(binanceTrade('BTCUSDT', 500));
  const gap = { symbol: 'ETHUSDT', lo: 100, hi: 105, sinceUs: 0 };
  session.fillGaps([gap]);
  await world.run(8_000);
  const asked = world.requests.filter(({ url }) => url.includes('ETHUSDT'));
  assert.ok(asked.length > 0);
  await session.stop(false);
});

test('an actor that fails while it starts is started again, and whoever waits for it goes on waiting', async () => {
  let starts = 0;
  const child = new Child<Stoppable>({
    id: 'ingest-kraken',
    intensity: { restartsMax: 3, periodMs: 1_000 },
    clock: { nowUs: () => 0, monotonicMs: () => 0 },
    start: () => thread(++starts === 1),
    log: () => {},
    giveUp: ({ message }) => assert.fail(message),
  });
  await child.start();
  assert.equal(starts, 2);
  assert.equal(child.restarts, 1);
});

test('a disk that fails where nobody has a sentence for it is code 74, with one sentence', () => {
  const error = Object.assign(new Error('EIO: i/o error, unlink'), { code: 'EIO' });
  assert.equal(failureOf(error).exitCode, EXIT.io);
  assert.match(failureOf(error).message, /^The disk failed \(EIO: .*\); check .*\.$/);
  assert.equal(failureOf(new Error('a bug')).exitCode, undefined);
  assert.equal(failureOf(new UserError(EXIT.config, 'no')).exitCode, EXIT.config);
});

function thread(fails: boolean): ActorThread<Stoppable> {
  const failure = { message: 'it fell over', stack: '', exitCode: undefined };
  const ended = fails ? Promise.resolve({ asked: false, failure }) : new Promise<never>(() => {});
  const gone = ended.then(() => {
    throw new Error('ended while starting');
  });
  const ready = fails ? gone.then(() => {}) : Promise.resolve();
  return { id: 'ingest-kraken', ended, ready } as unknown as ActorThread<Stoppable>;
}
