/**
 * What is wrong, plainly, in one place under the title; or that nothing is. The worst comes first.
 */
import type { Health } from '#src/api/health';
import { byId, dot, element, mark, say } from './dom.js';
import { isSilent } from './exchange-list.js';
import { duration, exchangeName, integer, plural } from './format.js';
import type { ConnectionState } from './live-stream.js';

type Level = 'bad' | 'warn' | 'good' | 'waiting';

export interface Notice {
  readonly level: Level;
  readonly text: string;
}

export interface Facts {
  readonly connection: ConnectionState;
  /** Undefined before the first answer; what was last heard after the server is gone. */
  readonly health: Health | undefined;
  /** The server does not answer. */
  readonly isGone: boolean;
  /** Final candles in view that are not proven complete. */
  readonly incomplete: number;
  readonly needsToken: boolean;
  /** A sentence on what the server refused; empty while it refuses nothing. */
  readonly refusal: string;
}

/** Milliseconds of processing lag from which it is worth a word. */
const LAG_MS_MAX = 3_000;

export function noticesOf(facts: Facts, nowMs: number): Notice[] {
  const { connection, health, isGone, incomplete, needsToken, refusal } = facts;
  const found: Notice[] = [];
  const add = (level: Level, text: string): void => void found.push({ level, text });
  if (needsToken) add('bad', 'This server asks for a token before it shows anything.');
  if (connection.state === 'lost' && !needsToken) {
    const waitS = Math.max(0, Math.ceil((connection.retryAtMs - nowMs) / 1_000));
    const next = waitS === 0 ? 'trying again now' : `trying again in ${waitS} s`;
    add('bad', `The connection to Bullion is lost; ${next}. What you see is not live any more.`);
  } else if (isGone && !needsToken) {
    add('bad', 'Bullion does not answer. The figures below are the last it gave.');
  }
  if (health !== undefined && !isGone) found.push(...healthNotices(health));
  if (refusal !== '') add('warn', refusal);
  if (incomplete > 0) {
    const which = `${plural(incomplete, 'final candle')} in view ${incomplete === 1 ? 'is' : 'are'}`;
    add('warn', `${which} not proven complete (amber): trades are missing, see Gaps below.`);
  }
  if (found.length === 0) found.push(allWell(health));
  const order: readonly Level[] = ['bad', 'warn', 'waiting', 'good'];
  return found.sort((a, b) => order.indexOf(a.level) - order.indexOf(b.level));
}

function healthNotices({ exchanges, actors, problems }: Health): Notice[] {
  const found: Notice[] = [];
  const add = (level: Level, text: string): void => void found.push({ level, text });
  const full = exchanges.filter(({ state }) => state === 'disk_full');
  if (full.length > 0) {
    const names = full.map(({ exchange }) => exchangeName(exchange)).join(', ');
    add('bad', `The disk is full. ${names} closed until there is room; what was received is safe.`);
  }
  for (const exchange of exchanges) {
    const { state, last_frame_age_ms: age, lag_ms } = exchange;
    const name = exchangeName(exchange.exchange);
    const since = age === null ? '' : ` Its last frame came ${duration(age)} ago.`;
    if (state === 'waiting' || state === 'stopped') {
      add(
        'bad',
        `${name} is not connected: ${state === 'waiting' ? 'the next attempt is soon' : 'stopped'}.${since}`,
      );
    } else if (state === 'connecting') add('warn', `${name} is being connected.`);
    else if (isSilent(exchange)) add('bad', `${name} is silent.${since}`);
    if (lag_ms > LAG_MS_MAX) {
      add('warn', `Processing of ${name} is ${duration(lag_ms)} behind what has been received.`);
    }
  }
  for (const { actor, state } of actors) {
    if (state !== 'running') add('bad', `The actor ${actor} is ${state}.`);
  }
  for (const problem of problems) add('bad', problem);
  return found;
}

function allWell(health: Health | undefined): Notice {
  if (health === undefined) return { level: 'waiting', text: 'Asking how things are.' };
  const { exchanges } = health;
  const lagMs = Math.max(0, ...exchanges.map(({ lag_ms }) => lag_ms));
  const rate = health.actors
    .filter(({ actor }) => actor.startsWith('gold-'))
    .reduce((sum, { throughput }) => sum + throughput.per_second, 0);
  const parts = [
    `${plural(exchanges.length, 'exchange')} connected`,
    `${integer(rate)} trades a second`,
    lagMs === 0 ? 'nothing waiting' : `${duration(lagMs)} behind`,
  ];
  return { level: 'good', text: `All is well: ${parts.join(', ')}.` };
}

let shown = '';
let announced = '';

export function showNotices(notices: readonly Notice[]): void {
  const now = JSON.stringify(notices);
  if (now === shown) return;
  shown = now;
  const container = byId('notices');
  mark(container, 'level', notices[0]?.level ?? 'good');
  container.replaceChildren(
    ...notices.map(({ level, text }) => {
      const line = element('p', '', dot(), text);
      mark(line, 'state', level);
      return line;
    }),
  );
  // Figures change every second; whoever listens hears of a change in kind only.
  const kinds = notices.map(({ text }) => text.replace(/[\d.,]+/g, '')).join(' ');
  if (kinds === announced) return;
  announced = kinds;
  say(byId('announcer'), notices.map(({ text }) => text).join(' '));
}
