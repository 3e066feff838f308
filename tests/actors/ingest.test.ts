/** The ingest actor: what it promises about its log, on a good disk, a full one and a broken one. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type FrameLog, IngestActor, type IngestEvent, type IngestPorts } from '#actors/ingest';
import type { FeedEvent } from '#src/feed/session';
import { binanceTrade, instruments, serveBinance } from '#tests/feed/fake-feed';
import { EPOCH_US, FakeWorld } from '#tests/feed/fake-world';

interface Frame {
  readonly text: string;
  readonly kind: number;
  readonly connection: number;
  readonly receiveTimeUs: number;
}

function diskError(code: string): Error {
  const cause = Object.assign(new Error(`${code}: write`), { code });
  return new Error(`the bronze log cannot grow (${code})`, { cause });
}

/** A log that writes a block of `blockFrames` frames or what there is at a flush. */
class FakeLog implements FrameLog {
  readonly written: Frame[] = [];
  pending: Frame[] = [];
  durableThrough = 0;
  poisoned: Error | undefined;
  syncs = 0;
  isClosed = false;
  /** What the disk says to the next write or sync. */
  writeError: Error | undefined;
  syncError: Error | undefined;
  readonly #blockFrames: number;

  constructor(blockFrames = 4) {
    this.#blockFrames = blockFrames;
  }

  get writtenThrough(): number {
    return this.written.length;
  }

  append(bytes: Uint8Array, kind: number, connection: number, receiveTimeUs: number): number {
    assert.equal(this.isClosed, false, 'append to a closed log');
    if (this.pending.length >= this.#blockFrames) this.flush();
    const text = new TextDecoder().decode(bytes);
    this.pending.push({ text, kind, connection, receiveTimeUs });
    return this.written.length + this.pending.length - 1;
  }

  flush(): void {
    assert.equal(this.isClosed, false, 'flush of a closed log');
    if (this.poisoned !== undefined) throw this.poisoned;
    if (this.pending.length === 0) return;
    if (this.writeError !== undefined) {
      if (!/ENOSPC|EDQUOT/.test(this.writeError.message)) this.poisoned = this.writeError;
      throw this.writeError;
    }
    this.written.push(...this.pending);
    this.pending = [];
  }

  async sync(): Promise<void> {
    const through = this.written.length;
    await Promise.resolve();
    this.syncs++;
    if (this.syncError !== undefined) {
      this.poisoned = this.syncError;
      throw this.syncError;
    }
    this.durableThrough = through;
  }

  async close(): Promise<void> {
    this.isClosed = true;
  }
}

function startActor(world: FakeWorld, log: FakeLog, symbols = ['BTCUSDT']) {
  const events: (FeedEvent | IngestEvent)[] = [];
  const failures: Error[] = [];
  const announced: number[] = [];
  const ports: IngestPorts = {
    clock: world.clock,
    timers: world.timers,
    sockets: world.sockets,
    httpGet: world.httpGet,
    random: world.random,
    onAppended: () => announced.push(log.writtenThrough),
    onEvent: (event) => events.push(event),
    onFailure: (error) => failures.push(error),
  };
  const actor = new IngestActor({
    exchange: 'BINANCE',
    options: { channel: 'trade', backfill: false },
    instruments: instruments('BINANCE', symbols),
    ports,
    log,
  });
  actor.start();
  return { actor, events, failures, announced };
}

function names(events: readonly (FeedEvent | IngestEvent)[]): string[] {
  return events.map((event) => event.event);
}

test('every frame is in the log as sent, in order, announced and durable, for any bursts', async () => {
  const burst = fc.array(fc.string(), { maxLength: 12 });
  await fc.assert(
    fc.asyncProperty(fc.array(burst, { maxLength: 12 }), async (bursts) => {
      const world = new FakeWorld();
      serveBinance(world);
      const log = new FakeLog();
      const { actor, announced, failures } = startActor(world, log);
      world.advance(10);
      const sent = ['{"result":null,"id":1}'];
      for (const frames of bursts) {
        // One event-loop turn: all frames of a burst before its end.
        const encoder = new TextEncoder();
        for (const text of frames) world.last.handlers.onMessage(encoder.encode(text));
        sent.push(...frames);
        world.endTurn();
        assert.equal(log.writtenThrough, sent.length, 'written when the turn ends');
        await world.run(7, 7);
      }
      assert.deepEqual(
        log.written.map(({ text }) => text),
        sent,
      );
      assert.equal(announced.at(-1), sent.length);
      assert.deepEqual(announced, [...new Set(announced)], 'nothing is announced twice');
      await world.run(110, 10);
      assert.equal(log.durableThrough, sent.length, 'durable 100 ms later');
      assert.equal(actor.counters.frames, sent.length);
      assert.deepEqual(failures, []);
    }),
    { numRuns: 50 },
  );
});

test('frames of one turn share a receive time; time goes on between turns', () => {
  const world = new FakeWorld();
  serveBinance(world);
  const log = new FakeLog();
  startActor(world, log);
  world.advance(10);
  for (const text of ['a', 'b']) world.last.handlers.onMessage(new TextEncoder().encode(text));
  world.endTurn();
  world.advance(5);
  world.last.frame('c');
  const times = log.written.slice(-3).map(({ receiveTimeUs }) => receiveTimeUs - EPOCH_US);
  assert.deepEqual(times, [10_000, 10_000, 15_000]);
});

test('an idle actor neither syncs nor announces', async () => {
  const world = new FakeWorld();
  serveBinance(world);
  const log = new FakeLog();
  const { announced } = startActor(world, log);
  await world.run(1_000, 50);
  const { syncs } = log;
  const told = announced.length;
  await world.run(30_000, 500);
  assert.deepEqual([log.syncs, announced.length], [syncs, told]);
});

test('sync() makes everything stored before it durable, and may be called at any time', async () => {
  const world = new FakeWorld();
  serveBinance(world);
  const log = new FakeLog();
  const { actor } = startActor(world, log);
  world.advance(10);
  world.last.handlers.onMessage(new TextEncoder().encode('pending'));
  const both = Promise.all([actor.sync(), actor.sync()]);
  await both;
  assert.equal(log.durableThrough, 2);
  await actor.sync();
  world.endTurn();
  world.last.frame('more');
  await actor.sync();
  assert.equal(log.durableThrough, 3);
});

for (const code of ['ENOSPC', 'EDQUOT']) {
  test(`${code}: sockets close, the block is kept, and all goes on when there is room`, async () => {
    const world = new FakeWorld();
    serveBinance(world);
    const log = new FakeLog();
    const { actor, events, failures } = startActor(world, log);
    await world.run(200);
    log.writeError = diskError(code);
    world.last.frame(binanceTrade('BTCUSDT', 1));
    assert.equal(actor.status().state, 'disk_full');
    assert.equal(world.live.length, 0);
    assert.equal(actor.counters.connected, 0);
    const before = world.opened.length;
    world.opened.at(-1)?.frame(binanceTrade('BTCUSDT', 2));
    await world.run(300_000, 1_000);
    assert.equal(world.opened.length, before, 'no connection while nothing can be stored');
    assert.equal(actor.status().state, 'disk_full');
    assert.match(actor.status().lastError, new RegExp(code));

    log.writeError = undefined;
    await world.run(31_000, 1_000);
    assert.equal(actor.status().state, 'running');
    assert.equal(world.live.length, 1);
    world.last.frame(binanceTrade('BTCUSDT', 3));
    await world.run(200);
    const ids = log.written.flatMap(({ text }) => JSON.parse(text).t ?? []);
    assert.deepEqual(ids, [1, 3], 'the frame in the block is not lost');
    assert.equal(log.durableThrough, log.writtenThrough);
    assert.deepEqual(failures, []);
    assert.equal(actor.counters.diskFull, 1);
    assert.deepEqual(
      names(events).filter((name) => name.startsWith('disk')),
      ['disk_full', 'disk_free'],
    );
  });
}

test('a full disk found in the middle of a turn: the frames after it are counted, not taken', async () => {
  const world = new FakeWorld();
  serveBinance(world);
  const log = new FakeLog(2);
  const { actor } = startActor(world, log);
  await world.run(200);
  log.writeError = diskError('ENOSPC');
  const { handlers } = world.last;
  for (let i = 0; i < 5; i++) handlers.onMessage(new TextEncoder().encode(`frame ${i}`));
  world.endTurn();
  assert.equal(actor.status().state, 'disk_full');
  assert.deepEqual(
    log.pending.map(({ text }) => text),
    ['frame 0', 'frame 1'],
  );
  assert.equal(actor.counters.framesRefused, 1, 'the socket is closed: nothing came after');
  assert.equal(actor.counters.frames, 3);
});

test('a disk that fills again and again is asked less and less often', async () => {
  const world = new FakeWorld();
  serveBinance(world);
  const log = new FakeLog(1);
  const { actor } = startActor(world, log);
  await world.run(200);
  log.writeError = diskError('ENOSPC');
  world.last.frame('x');
  const flushes: number[] = [];
  const flush = log.flush.bind(log);
  log.flush = () => {
    flushes.push(world.nowMs);
    flush();
  };
  await world.run(200_000, 500);
  const gaps = flushes.slice(1).map((at, i) => at - flushes[i]!);
  assert.ok(gaps.every((gapMs) => gapMs >= 500 && gapMs <= 30_001));
  assert.ok(
    gaps.slice(6).every((gapMs) => gapMs >= 14_000),
    gaps.join(),
  );
  assert.equal(actor.status().state, 'disk_full');
});

test('EIO on a write fails the actor: sockets closed, told once, nothing more is written', async () => {
  const world = new FakeWorld();
  serveBinance(world);
  const log = new FakeLog();
  const { actor, failures, events } = startActor(world, log);
  await world.run(200);
  log.writeError = diskError('EIO');
  world.last.frame('x');
  assert.equal(actor.status().state, 'failed');
  assert.deepEqual(failures, [log.writeError]);
  assert.equal(world.live.length, 0);
  const { writtenThrough } = log;
  log.writeError = undefined;
  await world.run(60_000, 500);
  assert.equal(log.writtenThrough, writtenThrough);
  assert.equal(world.opened.length, 1);
  assert.equal(names(events).filter((name) => name === 'failed').length, 1);
  assert.equal(world.pendingTimers, 0);
  await actor.stop();
  assert.ok(log.isClosed);
});

test('a failed sync is never retried, even when it says the disk is full', async () => {
  for (const code of ['EIO', 'ENOSPC']) {
    const world = new FakeWorld();
    serveBinance(world);
    const log = new FakeLog();
    const { actor, failures } = startActor(world, log);
    await world.run(200);
    log.syncError = diskError(code);
    world.last.frame('x');
    await world.run(1_000);
    assert.equal(actor.status().state, 'failed');
    assert.deepEqual(failures, [log.syncError]);
    const { syncs } = log;
    await world.run(10_000);
    assert.equal(log.syncs, syncs);
    assert.equal(world.live.length, 0);
  }
});

test('a log that is poisoned is not waited for, whatever the code of the error', async () => {
  const world = new FakeWorld();
  serveBinance(world);
  const log = new FakeLog();
  const { actor, failures } = startActor(world, log);
  await world.run(200);
  // As when the sync that ends a segment finds the disk full: those pages are lost.
  log.poisoned = diskError('ENOSPC');
  world.last.frame('x');
  assert.equal(actor.status().state, 'failed');
  assert.deepEqual(failures, [log.poisoned]);
});

test('sync() rejects when the disk does', async () => {
  const world = new FakeWorld();
  serveBinance(world);
  const log = new FakeLog();
  const { actor, failures } = startActor(world, log);
  await world.run(200);
  log.syncError = diskError('EIO');
  world.last.handlers.onMessage(new TextEncoder().encode('x'));
  await assert.rejects(actor.sync(), /EIO/);
  assert.equal(failures.length, 1);
  assert.equal(actor.status().state, 'failed');
});

test('stop: what is under way is taken, everything is durable, the log is closed', async () => {
  const world = new FakeWorld();
  serveBinance(world);
  world.onCloseAsked = (socket) => {
    socket.frame('last words');
    socket.end(1000);
  };
  const log = new FakeLog();
  const { actor } = startActor(world, log);
  world.advance(10);
  world.last.frame('x');
  const stopped = Promise.all([actor.stop(), actor.stop()]);
  await world.run(100, 10);
  await stopped;
  assert.equal(log.written.at(-1)?.text, 'last words');
  assert.deepEqual([log.durableThrough, log.isClosed], [3, true]);
  assert.equal(actor.status().state, 'stopped');
  // The one timer left is the fake exchange's own, for its next ping.
  world.advance(20_000);
  assert.equal(world.pendingTimers, 0);
});

test('stop while connecting, and while the disk is full', async () => {
  const connecting = new FakeWorld();
  connecting.onOpen = () => {};
  const empty = new FakeLog();
  const first = startActor(connecting, empty);
  connecting.advance(100);
  const stopped = first.actor.stop();
  await connecting.run(100);
  await stopped;
  assert.deepEqual([empty.isClosed, connecting.pendingTimers], [true, 0]);

  const full = new FakeWorld();
  serveBinance(full);
  const log = new FakeLog();
  const second = startActor(full, log);
  await full.run(200);
  log.writeError = diskError('ENOSPC');
  full.last.frame('x');
  await full.run(5_000);
  await second.actor.stop();
  assert.equal(second.actor.status().state, 'stopped');
  assert.equal(log.durableThrough, log.writtenThrough);
  await full.run(60_000, 1_000);
  assert.deepEqual([log.isClosed, full.pendingTimers], [true, 0]);
});
