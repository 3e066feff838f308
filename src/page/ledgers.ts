/**
 * What is missing and what was refused: the gap ledger and the dead letters, as of the last epoch.
 * Raw bytes are shown as the text they may be, in text nodes; whatever they spell stays spelling.
 */
import { byId, element, say, table } from './dom.js';
import { clockTime, dayTime, exchangeName, integer, plural } from './format.js';
import { Forbidden, getJson } from './server.js';

const ROWS = 6;
const LATEST = 3;
/** Asked for at once: reasons are counted over these. */
const LETTERS_MAX = 1_000;
const LETTERS_MINUTES = 15;
/** Bytes of a raw record that are shown. */
const EXCERPT_BYTES = 160;

interface Stats {
  readonly exchanges: readonly {
    readonly dead_letters: number;
    readonly gaps: number;
    readonly missing_trades: number;
    readonly duplicates: number;
  }[];
}

interface Gap {
  readonly exchange: string;
  readonly symbol: string;
  readonly count: number;
  readonly after: string;
  readonly before: string;
}

interface DeadLetter {
  readonly error_timestamp: string;
  readonly bronze_source: string;
  readonly error_reason: string;
  readonly raw_record: string;
}

export async function showLedgers(): Promise<void> {
  const { exchanges } = await getJson<Stats>('/v1/stats');
  const total = (of: (one: Stats['exchanges'][number]) => number): number =>
    exchanges.reduce((sum, one) => sum + of(one), 0);
  const gaps = total((one) => one.gaps);
  const missing = total((one) => one.missing_trades);
  say(
    byId('gaps-figure'),
    gaps === 0 ? 'none' : `${plural(gaps, 'gap')}, ${plural(missing, 'trade')} missing`,
  );
  say(byId('letters-figure'), `${integer(total((one) => one.dead_letters))} in all`);
  await showGaps();
  await showDeadLetters();
}

async function showGaps(): Promise<void> {
  const { gaps } = await getJson<{ gaps: readonly Gap[] }>('/v1/gaps');
  const newest = [...gaps].sort((a, b) => (a.before < b.before ? 1 : -1)).slice(0, ROWS);
  byId('gaps').replaceChildren(
    table(
      [
        { name: 'Instrument', cell: ({ exchange, symbol }) => nameOf(exchange, symbol) },
        { name: 'Between', cell: ({ after, before }) => stretch(after, before) },
        { name: 'Missing', isNumber: true, cell: ({ count }) => integer(count) },
      ],
      newest,
      'No trade id is missing between the first and the last that was received.',
    ),
  );
}

/** 23 Nov 08:20:07 to 08:20:09; the day again only where it is another one. */
function stretch(from: string, to: string): string {
  const [start, end] = [dayTime(from, 19), dayTime(to, 19)];
  return `${start} to ${from.slice(0, 10) === to.slice(0, 10) ? to.slice(11, 19) : end}`;
}

function nameOf(exchange: string, symbol: string): HTMLElement {
  return element('span', '', `${exchangeName(exchange)} `, element('span', 'quiet', symbol));
}

async function showDeadLetters(): Promise<void> {
  const container = byId('letters');
  let letters: readonly DeadLetter[];
  try {
    const start = Date.now() - LETTERS_MINUTES * 60_000;
    const path = `/v1/dead-letters?start=${start}&limit=${LETTERS_MAX}&raw_bytes=${EXCERPT_BYTES}`;
    letters = (await getJson<{ dead_letters: readonly DeadLetter[] }>(path)).dead_letters;
  } catch (error) {
    if (!(error instanceof Forbidden)) throw error;
    const why = 'They hold raw bytes, which are for the role admin.';
    container.replaceChildren(element('p', 'nothing', why));
    return;
  }
  const counts = new Map<string, number>();
  for (const { error_reason: reason } of letters) {
    counts.set(reason, (counts.get(reason) ?? 0) + 1);
  }
  const reasons = [...counts].sort(([, a], [, b]) => b - a).slice(0, ROWS);
  const latest = letters.slice(-LATEST).reverse();
  container.replaceChildren(
    table(
      [
        { name: `Reason, last ${LETTERS_MINUTES} min`, cell: ([reason]) => reason },
        { name: 'Records', isNumber: true, cell: ([, count]) => integer(count) },
      ],
      reasons,
      `None in the last ${LETTERS_MINUTES} minutes.`,
    ),
    ...latest.map(excerptOf),
  );
}

function excerptOf(letter: DeadLetter): HTMLElement {
  const { error_timestamp: time, bronze_source: exchange, error_reason: reason } = letter;
  return element(
    'div',
    'excerpt',
    element('p', 'quiet', `${clockTime(time, 0)} ${exchangeName(exchange)}, ${reason}`),
    element('code', '', textOfBase64(letter.raw_record)),
  );
}

/** The bytes as text where they are, with a sign in place of each one that is not. */
function textOfBase64(base64: string): string {
  try {
    const bytes = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
    return new TextDecoder().decode(bytes);
  } catch {
    return '(not to be shown as text)';
  }
}
