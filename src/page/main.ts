/**
 * The page: puts its parts together and keeps them fed. /v1/status once a second for the machine room,
 * the stream for the market, the ledgers every few seconds.
 */
import type { Health } from '#src/api/health';
import { byId, mark, say } from './dom.js';
import { showExchanges } from './exchange-list.js';
import { showLedgers } from './ledgers.js';
import { type ConnectionState, LiveStream } from './live-stream.js';
import { MachineRoom } from './machine-room.js';
import { MarketView } from './market-view.js';
import { noticesOf, showNotices } from './notices.js';
import { type Listing, Pickers } from './pickers.js';
import { getJson, Refused, TokenNeeded, useToken } from './server.js';
import { Spread } from './spread.js';
import { startTheme } from './theme.js';

const HEALTH_MS = 1_000;
const LEDGERS_MS = 10_000;

const CONNECTION_WORDS = {
  connecting: ['waiting', 'Connecting'],
  open: ['good', 'Live'],
  lost: ['bad', 'Reconnecting'],
} as const;

let connection: ConnectionState = { state: 'connecting', retryAtMs: 0 };
let health: Health | undefined;
let isGone = false;
let needsToken = false;
/** What the server refused last, while it does. */
let refusal = '';
let market: MarketView | undefined;

function notice(): void {
  const incomplete = market?.chart.incompleteInView ?? 0;
  const facts = { connection, health, isGone, incomplete, needsToken, refusal };
  showNotices(noticesOf(facts, Date.now()));
}

function onFailure(error: unknown): void {
  if (error instanceof TokenNeeded) needsToken = true;
  else if (error instanceof Refused) refusal = error.message;
  else isGone = true;
  byId('token-form').hidden = !needsToken;
  notice();
}

const stream = new LiveStream((now) => {
  const wasLost = connection.state === 'lost' || connection.retryAtMs > 0;
  if (now.state === 'open' && wasLost) void market?.reload();
  // While it is being tried again it is still lost, for whoever reads the notices.
  connection = now.state === 'connecting' && wasLost ? { ...now, state: 'lost' } : now;
  const [state, words] = CONNECTION_WORDS[connection.state];
  mark(byId('connection'), 'state', state);
  say(byId('connection-text'), words);
  notice();
});

/** Does it now and then on, one after the other, whatever becomes of it. */
function repeat(ms: number, work: () => Promise<void>): void {
  const next = (): void => void setTimeout(() => void work().catch(onFailure).finally(next), ms);
  void work().catch(onFailure).finally(next);
}

async function start(): Promise<void> {
  const { symbols } = await getJson<{ symbols: readonly Listing[] }>('/v1/symbols');
  needsToken = false;
  byId('token-form').hidden = true;
  const room = new MachineRoom();
  const spread = new Spread(stream, symbols);
  const view = new MarketView(stream, onFailure);
  market = view;
  view.chart.paint();
  stream.connect();
  const pickers = new Pickers(symbols, (choice) => {
    const listing = symbols.find(
      ({ exchange, symbol }) => exchange === choice.exchange && symbol === choice.symbol,
    );
    if (listing === undefined) return;
    view.show(choice, listing);
    spread.show(listing);
  });
  if (pickers.listing === undefined) throw new Error('the server lists no symbols');
  repeat(HEALTH_MS, async () => {
    health = await getJson<Health>('/v1/status');
    isGone = false;
    room.show(health);
    showExchanges(health);
    view.tick();
    notice();
  });
  repeat(LEDGERS_MS, async () => {
    await showLedgers();
    refusal = '';
  });
}

byId('token-form').addEventListener('submit', (event) => {
  event.preventDefault();
  useToken(byId<HTMLInputElement>('token').value);
  location.reload();
});

function begin(): void {
  start().catch((error: unknown) => {
    onFailure(error);
    if (!needsToken) setTimeout(begin, 2_000);
  });
}

startTheme(() => market?.chart.paint());
begin();
