/**
 * The page in a real Chromium, over a real Bullion process and simulated exchanges: it moves, it
 * switches, it says what is wrong, and nothing it is told runs.
 */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { TIMEFRAMES } from '#schemas/timeframe';
import { findChromium, launch, NO_CHROMIUM } from '#tests/page/chromium';
import { ExchangeProxy } from '#tests/page/exchange-proxy';
import { assertNothingHostileRan, HOSTILE, watchedPage } from '#tests/page/watched-page';
import { Bullion, until } from '#tests/support/process/bullion-process';
import { freePort } from '#tests/support/process/free-port';
import { startWorld } from '#tests/support/process/simulated-world';

const chromium = findChromium();

/** Cut connections and bad records are the test's own to make. */
const FAULTS = { duplicate: 0.02, late: 0.002, lose: 0.002 };

const NEWEST_TRADE = '.tape-row:not(.head)';
const IS_TRADE = /\d\d:\d\d:\d\d/;

async function openBrowser(t: TestContext): Promise<Browser> {
  const browser = await launch(chromium as string);
  t.after(() => browser.close());
  return browser;
}

async function textOf(page: Page, selector: string): Promise<string> {
  return (await page.locator(selector).first().textContent()) ?? '';
}

async function assertNoSidewaysScroll(page: Page, width: number): Promise<void> {
  const wide = await page.evaluate('document.scrollingElement.scrollWidth');
  assert.ok(Number(wide) <= width, `${wide} px of page in a window of ${width}`);
}

test('the page lives, switches, and says what is wrong', {
  skip: chromium === undefined ? NO_CHROMIUM : false,
  timeout: 180_000,
}, async (t) => {
  const world = await startWorld(t, { seed: 4711, ratePerSecond: 120, faults: FAULTS });
  const kraken = await ExchangeProxy.start(world.simulator.url('KRAKEN'));
  t.after(() => kraken.die());
  const env = {
    ...world.env,
    BULLION_EXCHANGES_KRAKEN_WS_URL: kraken.url,
    BULLION_HTTP_PORT: String(await freePort()),
  };
  const bullion = Bullion.start(t, { cwd: world.cwd, env });
  const url = await bullion.url();
  const browser = await openBrowser(t);
  const watched = await watchedPage(browser);
  const { page, complaints, foreign } = watched;
  await watched.visit(url);

  await t.test('the chart moves', async () => {
    assert.equal(await textOf(page, '#market-title'), 'BTC / USDT');
    const chart = page.locator('#chart');
    await page.mouse.move(0, 0);
    await until('a price', async () => /\d/.test(await textOf(page, '#price')));
    const first = await chart.screenshot();
    await until('another picture', async () => !(await chart.screenshot()).equals(first));
    const price = await textOf(page, '#price');
    await until('another price', async () => (await textOf(page, '#price')) !== price);
  });

  await t.test('trades run through the tape, and prices are compared', async () => {
    await until('a trade', async () => IS_TRADE.test(await textOf(page, NEWEST_TRADE)));
    const first = await textOf(page, NEWEST_TRADE);
    await until('another trade', async () => (await textOf(page, NEWEST_TRADE)) !== first);
    await until('a spread', async () => /bp apart/.test(await textOf(page, '#spread-figure')));
    assert.equal(await page.locator('.spread-row').count(), 3);
  });

  await t.test('timeframes and exchanges switch', async () => {
    for (const timeframe of [...TIMEFRAMES.slice(1), TIMEFRAMES[0]]) {
      const asked = page.waitForRequest((request) =>
        request.url().includes(`/v1/ohlcv/${timeframe}?`),
      );
      await page.locator(`label[for="timeframe-${timeframe}"]`).click();
      await asked;
      assert.match(await textOf(page, '#market-where'), new RegExp(`, ${timeframe}, UTC`));
      await until(`a ${timeframe} candle`, async () =>
        /Trades\s*[1-9]/.test(await textOf(page, '#candle-facts')),
      );
      assert.ok(page.url().endsWith(`#BINANCE/BTCUSDT/${timeframe}`));
    }
    await page.locator('label[for="exchange-KRAKEN"]').click();
    assert.equal(await textOf(page, '#market-title'), 'BTC / USD');
    await page.locator('#symbol').selectOption('DOGEUSD');
    assert.equal(await textOf(page, '#market-title'), 'DOGE / USD');
    await until('a price', async () => /\d/.test(await textOf(page, '#price')));
    await page.goBack();
    assert.equal(await textOf(page, '#market-title'), 'BTC / USD');
    // The same without a mouse.
    await page.locator('#timeframe-1m').focus();
    await page.keyboard.press('ArrowRight');
    assert.match(await textOf(page, '#market-where'), /, 5m, UTC/);
  });

  await t.test('the machine room shows every stage and actor at work', async () => {
    assert.deepEqual(await page.locator('.stage h3').allTextContents(), [
      'Bronze',
      'Silver',
      'Gold',
      'Candles',
      'Served',
    ]);
    await until('work in every stage', async () => {
      const rates = await page.locator('.stage-rate').allTextContents();
      return rates.slice(0, 4).every((text) => /^[1-9]/.test(text));
    });
    const actors = await page.locator('.actor').allTextContents();
    for (const name of [
      'ingest-binance',
      'validation-0',
      'gold-0',
      'gold-1',
      'candles',
      'gateway',
    ]) {
      assert.ok(
        actors.some((text) => text.includes(name) && /core \d/.test(text)),
        name,
      );
    }
    assert.match(await textOf(page, '#epoch'), /epoch \d+ committed/);
  });

  await t.test('light and dark, by the system and by the switch', async () => {
    const ground = () => page.evaluate('getComputedStyle(document.body).backgroundColor');
    const light = await ground();
    await page.emulateMedia({ colorScheme: 'dark' });
    await until('dark colours', async () => (await ground()) !== light);
    const dark = await ground();
    await page.locator('#theme').click();
    await until('light colours', async () => (await ground()) === light);
    await page.locator('#theme').click();
    await until('dark colours again', async () => (await ground()) === dark);
  });

  await t.test('what an exchange says never runs', async () => {
    const symbol = JSON.stringify(HOSTILE);
    kraken.inject(
      `{"channel":"trade","type":"update","data":[{"symbol":${symbol},"side":"buy","price":1.0,"qty":1.0,"ord_type":"limit","trade_id":1,"timestamp":"2026-01-01T00:00:00.000000Z"}]}`,
    );
    kraken.inject(`<b>${HOSTILE}</b>`);
    await until(
      'both dead letters',
      async () => {
        const text = await textOf(page, '#letters');
        return text.includes('unknown_symbol') && text.includes('malformed_frame');
      },
      40_000,
    );
    assert.match(await textOf(page, '#letters'), /<img src=x/, 'shown, as text');
    await assertNothingHostileRan(page);
  });

  await t.test('it fits a phone', async () => {
    for (const width of [320, 390, 768, 1440]) {
      await page.setViewportSize({ width, height: 844 });
      await assertNoSidewaysScroll(page, width);
    }
  });

  await t.test('a dead exchange shows', async () => {
    await kraken.die();
    await until('the notice', async () =>
      /Kraken is not connected/.test(await textOf(page, '#notices')),
    );
    assert.equal(await page.locator('#notices').getAttribute('data-level'), 'bad');
    const rowOf = (name: string) => page.locator('#exchange-list tr', { hasText: name });
    assert.match(String(await rowOf('Kraken').textContent()), /waiting to reconnect|connecting/);
    assert.match(String(await rowOf('Binance').textContent()), /connected/);
  });

  assert.deepEqual(foreign, [], 'nothing leaves the origin');
  assert.deepEqual(complaints, [], 'the console stays empty');

  let again: Bullion | undefined;
  await t.test('a lost server shows, and its return', async () => {
    await bullion.end('SIGKILL');
    await until('the notice', async () =>
      /connection to Bullion is lost/.test(await textOf(page, '#notices')),
    );
    assert.equal(await textOf(page, '#connection-text'), 'Reconnecting');
    again = Bullion.start(t, { cwd: world.cwd, env });
    await page.locator('#connection[data-state=good]').waitFor({ timeout: 60_000 });
    await until(
      'live prices',
      async () => !/lost|does not answer/.test(await textOf(page, '#notices')),
    );
    await page.locator('label[for="exchange-BINANCE"]').click();
    await until('a trade', async () => IS_TRADE.test(await textOf(page, NEWEST_TRADE)));
    // The browser itself reports what it could not reach; nobody else says a word.
    const others = complaints.filter(
      (text) => !/ERR_CONNECTION_REFUSED|WebSocket connection/.test(text),
    );
    assert.deepEqual(others, []);
  });
  // Before the directory is deleted: what was registered first is undone first.
  await again?.end('SIGKILL');
  await world.simulator.stop();
});

test('hostile answers stay text, in every place that shows one', {
  skip: chromium === undefined ? NO_CHROMIUM : false,
  timeout: 60_000,
}, async (t) => {
  const world = await startWorld(t, { seed: 4712, ratePerSecond: 50, faults: {} });
  const bullion = Bullion.start(t, world);
  const url = await bullion.url();
  const browser = await openBrowser(t);
  const watched = await watchedPage(browser);
  const { page, complaints } = watched;
  /** Every text of an answer replaced, except where the page compares it. */
  const poison = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(poison);
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(
      Object.entries(value).map(([key, one]) => {
        const isCompared = ['state', 'actor', 'exchange', 'window_start', 'window_end'].includes(
          key,
        );
        return [key, typeof one === 'string' && !isCompared ? HOSTILE : poison(one)];
      }),
    );
  };
  await page.route(/\/v1\/(status|symbols|gaps|dead-letters|stats)(\?|$)/, async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, json: poison(await response.json()) });
  });
  await watched.visit(url);
  await until('a hostile title', async () =>
    (await textOf(page, '#market-title')).includes('<img'),
  );
  assert.match(await page.locator('#symbol').innerHTML(), /&lt;img/);
  // Everything has been drawn once: the ledgers are asked for every few seconds.
  await page.waitForResponse(/\/v1\/gaps/);
  await page.waitForResponse(/\/v1\/status/);
  await assertNothingHostileRan(page);
  const unexpected = complaints.filter((text) => !/status of 400/.test(text));
  assert.deepEqual(unexpected, []);
  // Before the directory is deleted, as above.
  await bullion.end('SIGKILL');
  await world.simulator.stop();
});
