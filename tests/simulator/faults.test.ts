/** Faults over real sockets: each shows at the client as asked for, and stands in the journal. */
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { FRAME_BYTES_MAX } from '#src/log/frame';
import { type FaultProfile, GARBAGE } from '#src/simulator/faults';
import type { ForcedFault } from '#src/simulator/feed-plan';
import { Simulator, type SimulatorOptions } from '#src/simulator/server';
import { Client, INSTRUMENTS, ManualTime, readTrades, symbolsOf } from '#tests/simulator/fixtures';

let simulator: Simulator | undefined;
let time: ManualTime;
const clients: Client[] = [];

async function start(options: Partial<SimulatorOptions> = {}): Promise<Simulator> {
  time = new ManualTime();
  const base = { seed: 1, instruments: INSTRUMENTS, clock: time, timers: time };
  const exchanges = ['KRAKEN'] as const;
  simulator = await Simulator.start({ ...base, exchanges, ...options });
  return simulator;
}

/** A Kraken client that is subscribed to everything. */
async function subscribe(options: { maxPayload?: number } = {}): Promise<Client> {
  const client = await Client.open(simulator!.url('KRAKEN'), options);
  clients.push(client);
  const params = { channel: 'trade', symbol: symbolsOf('KRAKEN'), snapshot: false };
  client.send({ method: 'subscribe', params });
  await client.text(4);
  client.messages.length = 0;
  return client;
}

afterEach(async () => {
  for (const client of clients.splice(0)) client.ws.terminate();
  await simulator?.stop();
  simulator = undefined;
});

/** Trading goes on until the client has seen so many messages. */
async function trade(client: Client, messages: number): Promise<void> {
  for (let i = 0; i < 200 && client.messages.length < messages; i++) {
    time.advance(500);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await client.until(() => client.messages.length >= messages, `${messages} messages`);
}

const idsOf = (message: Buffer): number[] =>
  (readTrades(message.toString()) ?? []).map((one) => one.id);

async function injected(fault: ForcedFault, count = 1): Promise<Client> {
  await start({ paused: true });
  const client = await subscribe();
  simulator!.inject('kraken', fault, count);
  simulator!.resume();
  await trade(client, 12);
  return client;
}

test('duplicate: the same bytes again, counted twice in the journal', async () => {
  const client = await injected({ fault: 'duplicate' });
  const texts = client.messages.map(String);
  const again = texts.filter((text, index) => texts.indexOf(text) !== index);
  assert.equal(again.length, 1);
  const twice = [...simulator!.journal.trades('kraken')].filter(({ sends }) => sends === 2);
  assert.deepEqual(twice.map(({ id }) => id).sort(), idsOf(Buffer.from(again[0]!)).sort());
  assert.deepEqual(
    simulator!.journal.faults().map(({ fault }) => fault),
    ['duplicate'],
  );
});

test('drop and late: missing from the feed, until the late ones come', async () => {
  await start({
    paused: true,
    faults: { lateUs: [20_000_000, 20_000_000] },
    finishAfterTrades: 60,
  });
  const client = await subscribe();
  simulator!.inject('kraken', { fault: 'drop' });
  simulator!.inject('kraken', { fault: 'late' });
  simulator!.resume();
  time.advance(2000);
  const [drop, late] = simulator!.journal.faults();
  assert.equal(drop!.fault, 'drop');
  assert.equal(late!.fault, 'late');
  await trade(client, 10);
  time.advance(60_000);
  await simulator!.finished;
  const ids = (symbol: string): number[] =>
    client.messages
      .flatMap((one) => readTrades(one.toString())!)
      .filter((one) => one.symbol === symbol)
      .map((one) => one.id);
  await client.until(() => ids(late!.nativeSymbol!).includes(late!.firstId!), 'the late trade');
  const lateIds = ids(late!.nativeSymbol!);
  assert.ok(lateIds.some((id, at) => id > late!.firstId! && at < lateIds.indexOf(late!.firstId!)));
  assert.ok(!ids(drop!.nativeSymbol!).includes(drop!.firstId!));
  const dropped = [...simulator!.journal.trades('kraken')].filter((one) => one.dropped);
  assert.equal(dropped.length, drop!.count);
  assert.ok(dropped.every(({ sends }) => sends === 0));
});

test('reorder: within the window, and nothing is lost', async () => {
  const client = await injected({ fault: 'reorder' }, 3);
  await trade(client, 40);
  const ids = client.messages.flatMap(idsOf);
  assert.ok(ids.length > new Set<number>(ids).size - 1);
  const bySymbol = new Map<string, number[]>();
  for (const { symbol, id } of client.messages.flatMap((one) => readTrades(one.toString())!)) {
    bySymbol.set(symbol, [...(bySymbol.get(symbol) ?? []), id]);
  }
  const unordered = [...bySymbol.values()].some((list) =>
    list.some((id, i) => i > 0 && id < list[i - 1]!),
  );
  assert.ok(unordered, 'some id came after a larger one');
  const sends = [...simulator!.journal.trades('kraken')].filter((one) => one.sends !== 1);
  assert.deepEqual(sends, []);
});

test('invalid, control and every kind of garbage arrive byte for byte as journalled', async () => {
  await start({ paused: true });
  const client = await subscribe();
  simulator!.inject('kraken', { fault: 'invalid', reason: 'price_precision' });
  simulator!.inject('kraken', { fault: 'control' });
  for (const garbage of GARBAGE) simulator!.inject('kraken', { fault: 'garbage', garbage });
  simulator!.resume();
  await trade(client, 20);
  const faults = simulator!.journal.faults();
  assert.equal(faults.length, 2 + GARBAGE.length);
  for (const { bytes, fault } of faults) {
    assert.ok(
      client.messages.some((one) => one.equals(Buffer.from(bytes!))),
      fault,
    );
  }
  const [invalid] = simulator!.journal.deadLetters('kraken');
  assert.equal(invalid!.reason, 'price_precision');
  assert.equal(invalid!.recordIndex, 1);
  assert.equal(readTrades(Buffer.from(invalid!.bytes!).toString())![1]!.price, '0.123456789');
  const garbage = simulator!.journal.deadLetters('kraken').slice(1);
  assert.deepEqual(
    garbage.map((one) => one.garbage),
    [...GARBAGE],
  );
  assert.ok(
    garbage.every(({ reason, recordIndex }) => reason === 'malformed_frame' && recordIndex === -1),
  );
});

test('oversize: a client with a payload limit closes, one without reads it', async () => {
  await start({ paused: true });
  const limited = await subscribe({ maxPayload: FRAME_BYTES_MAX });
  const open = await subscribe();
  simulator!.inject('kraken', { fault: 'oversize' });
  simulator!.resume();
  await trade(open, 2);
  assert.ok(open.messages.some((one) => one.length > FRAME_BYTES_MAX));
  await limited.until(() => limited.closeCode !== undefined, 'the close');
  assert.equal(simulator!.journal.faults().filter(({ fault }) => fault === 'oversize').length, 2);
});

test('disconnect, abort, refuse: a close code, a dead socket, no connection', async () => {
  await start();
  const first = await subscribe();
  simulator!.disconnectAll('KRAKEN', 1012);
  assert.equal(await first.closed(), 1012);
  const second = await subscribe();
  simulator!.abortAll('KRAKEN');
  assert.equal(await second.closed(), 1006);
  simulator!.refuse('KRAKEN', 1);
  await assert.rejects(subscribe(), /did not open/);
  simulator!.refuse('KRAKEN', 1, 503);
  await assert.rejects(subscribe(), /did not open/);
  await subscribe();
  const faults = simulator!.journal.faults().map(({ fault }) => fault);
  assert.deepEqual(faults, ['disconnect', 'abort', 'refuse', 'refuse']);
  assert.equal(simulator!.stats().connections, 1);
});

test('halfOpen: silence without a close, pings unanswered, nothing sent', async () => {
  await start();
  const client = await subscribe();
  await trade(client, 5);
  simulator!.halfOpen('KRAKEN');
  const before = simulator!.journal.sends('kraken');
  const seen = client.messages.length;
  let ponged = false;
  client.ws.on('pong', () => {
    ponged = true;
  });
  client.ws.ping();
  time.advance(5000);
  const other = await subscribe(); // a round trip on another connection
  assert.equal(client.messages.length, seen);
  assert.equal(client.closeCode, undefined);
  assert.equal(ponged, false);
  assert.equal(simulator!.journal.sends('kraken'), before);
  await trade(other, 2);
});

test('drip: frames split over many reads still arrive whole and in order', async () => {
  await start();
  const client = await subscribe();
  await trade(client, 3);
  const chunks: number[] = [];
  const socket = (client.ws as unknown as { _socket: NodeJS.ReadableStream })._socket;
  socket.on('data', (data: Buffer) => chunks.push(data.length));
  simulator!.drip('KRAKEN', 400);
  for (let i = 0; i < 60; i++) {
    time.advance(10);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  await trade(client, 10);
  assert.ok(chunks.filter((length) => length <= 16).length >= 10, `${chunks}`);
  for (const message of client.messages) JSON.parse(message.toString());
});

test('replay: a new connection gets the last trades again', async () => {
  await start({ faults: { replayTrades: 3 } as Partial<FaultProfile>, historySeconds: 30 });
  const client = await subscribe();
  simulator!.disconnectAll('KRAKEN');
  await client.closed();
  const again = await Client.open(simulator!.url('KRAKEN'));
  clients.push(again);
  again.send({ method: 'subscribe', params: { channel: 'trade', symbol: ['BTC/USD'] } });
  await again.text(5);
  const newest = [...simulator!.journal.trades('kraken')].filter(
    (one) => one.nativeSymbol === 'BTC/USD',
  );
  assert.deepEqual(
    again.messages.slice(2, 5).flatMap(idsOf),
    newest.slice(-3).map(({ id }) => id),
  );
  const replay = simulator!.journal.faults().at(-1)!;
  assert.deepEqual([replay.fault, replay.count, replay.connection], ['replay', 3, 2]);
});

test('drawn faults hit at about their probability, and the journal lists each', async () => {
  await start({
    ratePerSecond: 2000,
    finishAfterTrades: 20_000,
    faults: { duplicate: 0.02, garbage: 0.02, disconnect: 0.001, drop: 0.02 },
  });
  const client = await subscribe();
  time.advance(30_000);
  await simulator!.finished;
  assert.ok([1000, 1001, 1011, 1012, 1013].includes(await client.closed()));
  const counts = new Map<string, number>();
  for (const { fault } of simulator!.journal.faults())
    counts.set(fault, (counts.get(fault) ?? 0) + 1);
  // 9,000 messages or so of 2.2 trades: 180 of each kind; garbage only while somebody listens.
  for (const fault of ['duplicate', 'drop']) {
    assert.ok(Math.abs(counts.get(fault)! - 180) < 60, JSON.stringify([...counts]));
  }
  assert.equal(counts.get('disconnect'), 1);
});

test('entries are also written out as lines of JSON, the truth before the frame', async () => {
  const lines: { entry: string; id?: number; firstId?: number; count?: number }[] = [];
  await start({ paused: true, journalLine: (line) => lines.push(JSON.parse(line)) });
  const client = await subscribe();
  simulator!.inject('kraken', { fault: 'garbage', garbage: 'binary' });
  simulator!.resume();
  await trade(client, 10);
  const happened = new Set<number>();
  for (const { entry, id, firstId, count } of lines) {
    if (entry === 'trade') happened.add(id!);
    else if (entry === 'sent') {
      for (let at = firstId!; at < firstId! + count!; at++) assert.ok(happened.has(at));
    }
  }
  assert.ok(lines.some(({ entry }) => entry === 'fault'));
  assert.ok(happened.size >= 10);
});
