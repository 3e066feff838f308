/** The simulator's messages against recorded ones: same keys, order, spacing, number formats. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readCapture } from '#bench/captures';
import type { ExchangeKey } from '#schemas/exchange';
import type { Feed } from '#src/simulator/frame-format';
import { OfflineSimulation } from '#src/simulator/offline';
import { INSTRUMENTS, START_US } from '#tests/simulator/fixtures';

const BTC_ETH = INSTRUMENTS.filter(({ baseAsset }) => baseAsset === 'BTC' || baseAsset === 'ETH');

/**
 * What a message looks like: letters of ids and digits before the point do not matter, the number
 * of decimals does, except where the exchange leaves trailing zeros out.
 */
function shape(text: string, shortDecimals: boolean): string {
  const ids = text
    .replace(/[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}/g, 'uuid')
    .replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z/g, 'time')
    .replace(/\b\d{13}\b/g, 'ms')
    .replace(/"version":"[\d.]+"/, '"version":""')
    .replace(/\bbtcusdt|ethusdt|BTCUSDT|ETHUSDT|(BTC|ETH)[/-]USD\b/g, 'symbol')
    .replace(/"(side|ord_type)":"\w+"/g, '"$1":""')
    .replace(/"m":(true|false)/, '"m":bool')
    .replace(/,"req_id":1/, '');
  return shortDecimals
    ? ids.replace(/\b\d+(\.\d*[1-9]|\.\d{8})?"/g, '0"').replace(/\b\d+\b/g, '0')
    : ids
        .replace(/\.(\d+)/g, (_, digits: string) => `.${'d'.repeat(digits.length)}`)
        .replace(/\b\d+/g, '0');
}

function simulated(feed: Feed): string[] {
  const simulation = new OfflineSimulation({
    seed: 4,
    instruments: BTC_ETH,
    feeds: [feed],
    startUs: START_US,
    durationUs: 120_000_000,
    ratePerSecond: 2,
    // Reconnecting brings Coinbase's last_match; a slow market, Kraken's heartbeats.
    faults: { disconnect: 0.05 },
  });
  return [...texts(simulation, feed)];
}

function* texts(simulation: OfflineSimulation, feed: Feed): Generator<string> {
  for (const { bytes } of simulation.frames(feed)) yield Buffer.from(bytes).toString();
}

const CASES: readonly [Feed, ExchangeKey, RegExp][] = [
  ['binance-trade', 'binance', /"e":"trade"/],
  ['kraken', 'kraken', /^\{"channel":"(trade|heartbeat|status)"|"channel":"trade","snapshot"/],
  ['coinbase', 'coinbase', /"type":"(match|last_match|heartbeat)"/],
];

for (const [feed, name, relevant] of CASES) {
  test(`${feed}: every recorded message has a simulated one of the same shape`, (t) => {
    const lines = readCapture(name);
    if (lines === undefined) return t.skip('no recorded data (set BULLION_SHARED_DATA)');
    const short = feed === 'coinbase';
    const shapes = (lines: readonly string[]): Set<string> =>
      new Set(
        lines
          .filter((line) => relevant.test(line))
          .map((line) => shape(line, short).replace(/"snapshot":(true|false)/, '"snapshot":bool'))
          // However many trades one Kraken message holds, they all look alike.
          .map((line) => line.replace(/(\{"symbol":[^}]+\})(,\{"symbol":[^}]+\})+/g, '$1')),
      );
    const recorded = shapes(lines);
    const made = shapes(simulated(feed));
    assert.ok(recorded.size > 1 || feed === 'binance-trade');
    for (const one of recorded)
      assert.ok(made.has(one), `${one}\nis none of\n${[...made].join('\n')}`);
  });
}
