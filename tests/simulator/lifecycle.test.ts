/** Real time: playback, flood, and a stop that leaves nothing behind. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { UserError } from '#src/base/errors';
import { frameTimeUs } from '#src/simulator/playback';
import { Simulator } from '#src/simulator/server';
import { WireBuffer } from '#src/simulator/wire';
import { Client, INSTRUMENTS, ManualTime, readTrades } from '#tests/simulator/fixtures';

const match = (id: number, time: string): string =>
  `{"type":"match","trade_id":${id},"maker_order_id":"a","taker_order_id":"b","side":"buy",` +
  `"size":"1","price":"2","product_id":"BTC-USD","sequence":${id},"time":"${time}"}`;

test('a recording is played back at its own pace, or as many times faster', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'bullion-playback-'));
  const path = join(folder, 'frames.ndjson');
  const lines = [
    '{"type":"subscriptions","channels":[]}',
    match(1, '2026-07-07T22:58:17.000000Z'),
    '{"no":"time"}',
    match(2, '2026-07-07T22:58:18.000000Z'),
    match(3, '2026-07-07T22:58:19.500000Z'),
    match(4, '2026-07-07T22:59:59.000000Z'),
  ];
  writeFileSync(path, lines.join('\n'));
  const time = new ManualTime();
  const playback = { COINBASE: { path, speed: 2 } };
  const exchanges = ['COINBASE'] as const;
  const base = { seed: 1, instruments: INSTRUMENTS, clock: time, timers: time };
  const simulator = await Simulator.start({ ...base, exchanges, playback });
  const client = await Client.open(simulator.url('COINBASE'));
  time.advance(4000); // nobody listens yet: nothing is played
  client.send({ type: 'subscribe', product_ids: ['BTC-USD'], channels: ['matches'] });
  await client.text(1);
  time.advance(10);
  await client.text(3);
  time.advance(480);
  time.advance(20);
  await client.text(4);
  time.advance(700);
  client.send({ type: 'subscribe', product_ids: ['BTC-USD'], channels: ['matches'] });
  await client.text(5);
  assert.ok(client.messages[4]!.includes('subscriptions'), 'the third trade is not due yet');
  time.advance(60_000);
  await simulator.finished;
  await client.text(7);
  const played = client.messages.map(String).filter((text) => !text.includes('subscriptions'));
  assert.deepEqual(played, lines.slice(1));
  assert.equal(simulator.stats().recordedFrames, 5);
  client.ws.terminate();
  await simulator.stop();
  rmSync(folder, { recursive: true });
});

test('a recording that cannot be read is one clear error', async () => {
  const playback = { KRAKEN: { path: '/nowhere/frames.ndjson', speed: 1 } };
  await assert.rejects(
    Simulator.start({ seed: 1, instruments: INSTRUMENTS, playback }),
    (error) =>
      error instanceof UserError && /\/nowhere\/frames\.ndjson.*ENOENT/.test(error.message),
  );
});

test('a port that is taken is one clear error, and nothing stays open', async () => {
  const first = await Simulator.start({ seed: 1, instruments: INSTRUMENTS });
  const port = Number(new URL(first.url('COINBASE')).port);
  await assert.rejects(
    Simulator.start({ seed: 1, instruments: INSTRUMENTS, ports: { COINBASE: port } }),
    (error) =>
      error instanceof UserError && error.message.includes(`127.0.0.1:${port} (EADDRINUSE)`),
  );
  await first.stop();
});

test('frame times of every exchange are found', () => {
  const at = Date.UTC(2026, 6, 7, 22, 58, 17) * 1000 + 164_892;
  assert.equal(
    frameTimeUs('{"e":"trade","E":1783465097164,"s":"X"}'),
    Math.floor(at / 1000) * 1000,
  );
  assert.equal(frameTimeUs('{"e":"trade","E":1783465097164892,"s":"X"}'), at);
  assert.equal(frameTimeUs('{"data":[{"timestamp":"2026-07-07T22:58:17.164892Z"}]}'), at);
  assert.equal(frameTimeUs('{"channel":"heartbeat"}'), undefined);
});

test('messages of every header size are framed as RFC 6455 says', () => {
  for (const length of [0, 1, 125, 126, 65_535, 65_536, 300_000]) {
    for (const bound of [length, length + 200, 70_000 + length]) {
      const wire = new WireBuffer();
      wire.begin(bound);
      wire.writer.bytes.fill(7, wire.writer.at, wire.writer.at + length);
      wire.writer.at += length;
      wire.end(1);
      wire.message(Buffer.from('next'), 2);
      const bytes = Buffer.concat(wire.take());
      const header = length < 126 ? 2 : length < 65_536 ? 4 : 10;
      assert.equal(bytes[0], 0x81);
      if (header === 2) assert.equal(bytes[1], length);
      if (header === 4) assert.deepEqual([bytes[1], bytes.readUInt16BE(2)], [126, length]);
      if (header === 10)
        assert.deepEqual([bytes[1], bytes.readBigUInt64BE(2)], [127, BigInt(length)]);
      assert.ok(bytes.subarray(header, header + length).every((byte) => byte === 7));
      assert.deepEqual([...bytes.subarray(header + length)], [0x82, 4, ...Buffer.from('next')]);
      assert.equal(wire.take().length, 0);
    }
  }
});

test('flood: dense ids at full speed, then a stop with no handle left', async () => {
  const before = process.getActiveResourcesInfo();
  const simulator = await Simulator.start({
    seed: 1,
    instruments: INSTRUMENTS,
    flood: true,
    finishAfterTrades: 50_000,
    exchanges: ['BINANCE'],
  });
  const client = await Client.open(`${simulator.url('BINANCE')}/ws/btcusdt@trade/ethusdt@trade`);
  await simulator.finished;
  const sends = simulator.journal.sends('binance-trade');
  await client.until(() => client.messages.length >= sends, 'all trades');
  const next = new Map<string, number>();
  for (const message of client.messages) {
    const { symbol, id } = readTrades(message.toString())![0]!;
    assert.equal(id, next.get(symbol) ?? id);
    next.set(symbol, id + 1);
  }
  assert.ok(sends > 30_000, `${sends} sent`);
  await simulator.stop();
  await client.closed();
  // Handles close on the next turns of the event loop.
  const left = (): string[] =>
    process.getActiveResourcesInfo().filter((kind) => /TCP|Immediate/.test(kind));
  const had = before.filter((kind) => /TCP|Immediate/.test(kind)).length;
  for (let i = 0; i < 20 && left().length > had; i++) await new Promise((go) => setTimeout(go, 5));
  assert.ok(left().length <= had, `left: ${left()}`);
  await assert.rejects(fetch(`${simulator.restUrl('BINANCE')}/api/v3/time`));
});
