/** What the page says is wrong: each fault in a sentence, the worst first, and nothing when all is well. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Health } from '#src/api/health';

interface Notice {
  readonly level: string;
  readonly text: string;
}

/** The page is compiled for the browser, apart from everything else: this one module needs none. */
const { noticesOf } = (await import(new URL('../../page/notices.js', import.meta.url).href)) as {
  noticesOf(facts: object, nowMs: number): Notice[];
};

const EXCHANGE: Health['exchanges'][number] = {
  exchange: 'KRAKEN',
  state: 'connected',
  connections: 1,
  last_frame_age_ms: 20,
  lag_frames: 0,
  lag_ms: 0,
};
const ACTOR: Health['actors'][number] = {
  actor: 'gold-0',
  state: 'running',
  cores: [0],
  heartbeat_age_ms: 3,
  restarts: 0,
  throughput: { per_second: 1_234, unit: 'trades' },
  waiting: { count: 0, unit: 'batches' },
  counters: {},
};
const WELL = {
  connection: { state: 'open', retryAtMs: 0 },
  health: {
    live: true,
    ready: true,
    reasons: [],
    exchanges: [EXCHANGE],
    actors: [ACTOR],
    last_epoch: null,
    problems: [],
  },
  isGone: false,
  incomplete: 0,
  needsToken: false,
  refusal: '',
};

function said(changes: object, nowMs = 0): string[] {
  return noticesOf({ ...WELL, ...changes }, nowMs).map(({ level, text }) => `${level}: ${text}`);
}

function withExchange(changes: Partial<Health['exchanges'][number]>): object {
  return { health: { ...WELL.health, exchanges: [{ ...EXCHANGE, ...changes }] } };
}

test('all is well in one sentence, with figures', () => {
  assert.deepEqual(said({}), [
    'good: All is well: 1 exchange connected, 1,234 trades a second, nothing waiting.',
  ]);
  assert.deepEqual(said({ health: undefined }), ['waiting: Asking how things are.']);
});

test('each fault has its sentence', () => {
  const cases: [object, string][] = [
    [
      withExchange({ state: 'disk_full' }),
      'bad: The disk is full. Kraken closed until there is room; what was received is safe.',
    ],
    [
      withExchange({ state: 'waiting', last_frame_age_ms: 12_000 }),
      'bad: Kraken is not connected: the next attempt is soon. Its last frame came 12 s ago.',
    ],
    [
      withExchange({ last_frame_age_ms: 20_000 }),
      'bad: Kraken is silent. Its last frame came 20 s ago.',
    ],
    [withExchange({ state: 'connecting' }), 'warn: Kraken is being connected.'],
    [
      { health: { ...WELL.health, problems: ['The audit found: a file is damaged.'] } },
      'bad: The audit found: a file is damaged.',
    ],
    [
      withExchange({ lag_ms: 4_200, lag_frames: 9 }),
      'warn: Processing of Kraken is 4.2 s behind what has been received.',
    ],
    [
      { health: { ...WELL.health, actors: [{ ...ACTOR, state: 'restarting' }] } },
      'bad: The actor gold-0 is restarting.',
    ],
    [
      { incomplete: 1 },
      'warn: 1 final candle in view is not proven complete (amber): trades are missing, see Gaps below.',
    ],
    [
      { connection: { state: 'lost', retryAtMs: 2_500 } },
      'bad: The connection to Bullion is lost; trying again in 3 s. What you see is not live any more.',
    ],
    [{ isGone: true }, 'bad: Bullion does not answer. The figures below are the last it gave.'],
    [{ needsToken: true }, 'bad: This server asks for a token before it shows anything.'],
    [{ refusal: '/v1/stats answered 503.' }, 'warn: /v1/stats answered 503.'],
  ];
  for (const [changes, sentence] of cases) assert.deepEqual(said(changes), [sentence]);
});

test('the worst comes first, and what is old is not told as new', () => {
  const bad = { ...withExchange({ state: 'waiting' }), incomplete: 2 };
  assert.match(String(said(bad)[0]), /^bad: Kraken/);
  assert.match(String(said(bad)[1]), /^warn: 2 final candles/);
  const gone = said({ ...bad, connection: { state: 'lost', retryAtMs: 0 }, isGone: true });
  assert.match(String(gone[0]), /^bad: The connection/);
  assert.ok(gone.every((text) => !text.includes('Kraken')));
});
