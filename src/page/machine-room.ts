/**
 * The machine room: the stages a frame passes on its way to a candle, drawn as the line they form,
 * with what each does in a second, what lies in front of it, and the actors that do it.
 */
import type { Health } from '#src/api/health';
import { byId, dot, element, mark, say, svg } from './dom.js';
import { duration, integer, plural, short } from './format.js';

type Actor = Health['actors'][number];

interface Total {
  readonly name: string;
  readonly value: (actors: readonly Actor[]) => string;
  /** Whether the figure is one to worry about. */
  readonly isBad?: (actors: readonly Actor[]) => boolean;
}

interface StagePlan {
  readonly title: string;
  readonly metal: string;
  readonly what: string;
  readonly unit: string;
  readonly kind: string;
  readonly totals: readonly Total[];
}

/** Messages in a ring that mean a stage has fallen behind rather than caught its breath. */
const BATCHES_BEHIND = 16;
const FRAMES_BEHIND = 10_000;

function sum(actors: readonly Actor[], counter: string): number {
  return actors.reduce((total, { counters }) => total + (counters[counter] ?? 0), 0);
}

function waiting(actors: readonly Actor[]): number {
  return actors.reduce((total, actor) => total + actor.waiting.count, 0);
}

const STAGES: readonly StagePlan[] = [
  {
    title: 'Bronze',
    metal: 'bronze',
    what: 'every frame, as received',
    unit: 'frames/s',
    kind: 'ingest-',
    totals: [
      { name: 'received', value: (actors) => integer(sum(actors, 'frames')) },
      { name: 'bytes', value: (actors) => `${short(String(sum(actors, 'bytes')))}B` },
      { name: 'not yet on disk', value: (actors) => plural(waiting(actors), 'frame') },
    ],
  },
  {
    title: 'Silver',
    metal: 'silver',
    what: 'valid trades, or a reason',
    unit: 'frames/s',
    kind: 'validation-',
    totals: [
      { name: 'trades', value: (actors) => integer(sum(actors, 'trades')) },
      { name: 'dead letters', value: (actors) => integer(sum(actors, 'dead_letters')) },
      {
        name: 'unread',
        value: (actors) => plural(waiting(actors), 'frame'),
        isBad: (actors) => waiting(actors) > FRAMES_BEHIND,
      },
    ],
  },
  {
    title: 'Gold',
    metal: 'gold',
    what: 'every trade exactly once',
    unit: 'trades/s',
    kind: 'gold-',
    totals: [
      { name: 'trades', value: (actors) => integer(sum(actors, 'trades')) },
      { name: 'duplicates masked', value: (actors) => integer(sum(actors, 'duplicates')) },
      {
        name: 'waiting',
        value: (actors) => plural(waiting(actors), 'batch', 'batches'),
        isBad: (actors) => waiting(actors) > BATCHES_BEHIND,
      },
    ],
  },
  {
    title: 'Candles',
    metal: 'gold',
    what: '1m to 1d, live and as tables',
    unit: 'rows/s',
    kind: 'candles',
    totals: [
      { name: 'rows', value: (actors) => integer(sum(actors, 'rows')) },
      { name: 'candles committed', value: (actors) => integer(sum(actors, 'candles')) },
      {
        name: 'waiting',
        value: (actors) => plural(waiting(actors), 'batch', 'batches'),
        isBad: (actors) => waiting(actors) > BATCHES_BEHIND,
      },
    ],
  },
  {
    title: 'Served',
    metal: 'served',
    what: 'HTTP and live push',
    unit: 'requests/s',
    kind: 'gateway',
    totals: [
      { name: 'requests', value: (actors) => integer(sum(actors, 'requests')) },
      { name: 'live clients', value: (actors) => integer(sum(actors, 'stream_clients')) },
    ],
  },
];

class ActorLine {
  readonly node = element('div', 'actor');
  readonly #core = element('span', 'core');
  readonly #facts = element('span', 'facts');

  constructor(name: string) {
    this.node.append(dot(), element('span', 'name', name), this.#core, this.#facts);
  }

  show({ state, cores, heartbeat_age_ms, restarts, throughput, waiting }: Actor): void {
    mark(this.node, 'state', state === 'running' ? 'good' : 'bad');
    say(this.#core, cores.length === 0 ? 'any core' : `core ${cores.join(', ')}`);
    const said =
      state === 'running'
        ? [
            `${integer(throughput.per_second)}/s`,
            waiting.unit === 'requests' ? '' : `${integer(waiting.count)} waiting`,
            restarts > 0 ? plural(restarts, 'restart') : '',
          ].filter((text) => text !== '')
        : [state, `last sign of life ${duration(heartbeat_age_ms)} ago`];
    say(this.#facts, said.join(' \u00b7 '));
  }
}

class Stage {
  readonly node: HTMLElement;
  readonly #plan: StagePlan;
  readonly #rate = document.createTextNode('\u2013');
  readonly #totals: readonly { node: HTMLElement; value: HTMLElement; total: Total }[];
  readonly #actors = element('div', 'actors');
  readonly #lines = new Map<string, ActorLine>();

  constructor(plan: StagePlan) {
    this.#plan = plan;
    this.#totals = plan.totals.map((total) => {
      const value = element('dd', '', '\u2013');
      return { node: element('div', '', element('dt', '', total.name), value), value, total };
    });
    this.node = element(
      'article',
      'stage',
      element('div', 'stage-head', element('h3', '', plan.title)),
      element('p', 'stage-what', plan.what),
      element('p', 'stage-rate', this.#rate, element('small', '', plan.unit)),
      element('dl', 'stage-totals', ...this.#totals.map(({ node }) => node)),
      this.#actors,
    );
    mark(this.node, 'metal', plan.metal);
  }

  /** Answers how much goes through in a second. */
  show(all: readonly Actor[]): number {
    const actors = all.filter(({ actor }) => actor.startsWith(this.#plan.kind));
    const rate = actors.reduce((total, { throughput }) => total + throughput.per_second, 0);
    say(this.#rate, integer(rate));
    for (const { node, value, total } of this.#totals) {
      say(value, total.value(actors));
      mark(node, 'state', total.isBad?.(actors) === true ? 'warn' : '');
    }
    for (const actor of actors) {
      let line = this.#lines.get(actor.actor);
      if (line === undefined) {
        line = new ActorLine(actor.actor);
        this.#lines.set(actor.actor, line);
        this.#actors.append(line.node);
      }
      line.show(actor);
    }
    return rate;
  }
}

/** The line between two stages; it moves while something flows. */
function pipe(): SVGElement {
  const line = { x1: '0', y1: '8', x2: '24', y2: '8' };
  const made = svg(
    'svg',
    { class: 'pipe', viewBox: '0 0 30 16', 'aria-hidden': 'true' },
    svg('line', { class: 'tube', ...line }),
    svg('line', { class: 'stream', ...line }),
    svg('path', { class: 'tip', d: 'M22 3 l5 5 l-5 5' }),
  );
  return made;
}

export class MachineRoom {
  readonly #stages = STAGES.map((plan) => new Stage(plan));
  readonly #pipes = STAGES.slice(1).map(() => pipe());

  constructor() {
    const parts: Element[] = [];
    for (const [i, { node }] of this.#stages.entries()) {
      if (i > 0) parts.push(this.#pipes[i - 1] as SVGElement);
      parts.push(node);
    }
    byId('flow').append(...parts);
  }

  show({ actors, last_epoch }: Health): void {
    const rates = this.#stages.map((stage) => stage.show(actors));
    // What comes into a stage is what flows in the pipe in front of it.
    for (const [i, made] of this.#pipes.entries()) {
      const rate = i < STAGES.length - 2 ? (rates[i + 1] ?? 0) : (rates[i] ?? 0);
      mark(made, 'flows', rate > 0 ? 'yes' : 'no');
    }
    say(
      byId('epoch'),
      last_epoch === null
        ? 'no epoch committed yet'
        : `epoch ${integer(last_epoch.number)} committed ${duration(last_epoch.age_ms)} ago`,
    );
  }
}
