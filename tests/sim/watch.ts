/**
 * The watch: follows bronze and the state as they grow, and runs the checkers when it is time: after
 * every commit, now and then at what was acknowledged, at every end and every start of a process.
 */
import type { Exchange } from '#schemas/exchange';
import { EXIT } from '#src/base/errors';
import { LogHead } from '#src/log/log-head';
import type { Stoppable } from '#src/runtime/control';
import { ringBack, ringToCandles, ringToGold } from '#src/runtime/group-memory';
import type { EpochRecord } from '#src/state/epoch-record';
import type { DataFile } from '#src/state/file-catalog';
import { AREA } from '#src/state/keys';
import { StateStore } from '#src/state/store';
import {
  checkEpoch,
  checkFilesDurable,
  checkNewRows,
  checkShown,
  checkState,
  type Scene,
} from '#tests/sim/checks';
import type { Digest } from '#tests/sim/digest';
import type { SimDisk } from '#tests/sim/disk';
import type { SimExchange } from '#tests/sim/exchanges';
import { type SimStore, type SimStores, storesToLookAt } from '#tests/sim/key-value';
import type { Ending } from '#tests/sim/process';
import { LAKE_DIR, STATE_DIR } from '#tests/sim/sim-config';
import type { SimTables } from '#tests/sim/tables';
import type { SimThread } from '#tests/sim/threads';
import type { Truth } from '#tests/sim/truth';
import { hold } from '#tests/sim/violation';

const FILE_AREA = String.fromCharCode(AREA.file);
/** Steps between two looks at what was acknowledged. */
const LOOK_EVERY = 64;

export interface Watched {
  readonly disk: () => SimDisk;
  readonly stores: SimStores;
  readonly tables: SimTables | undefined;
  readonly venues: ReadonlyMap<Exchange, SimExchange>;
  readonly threads: () => Iterable<SimThread<Stoppable>>;
  readonly parquet: boolean;
  /** Every so many epochs figures, gaps and candles are compared, too. */
  readonly fullCheckEvery: number;
  readonly diskMayFail: boolean;
  readonly restarts: { readonly max: number; readonly periodUs: number };
  readonly digest: Digest;
  /** Takes what went wrong between two steps. */
  readonly failed: (error: unknown) => void;
}

export class Watch {
  readonly truths: readonly Truth[];
  /** The last epoch that was looked at. */
  record: EpochRecord | undefined;
  epochs = 0;
  readonly #watched: Watched;
  /** Reads what the state shows, whoever writes it. */
  #store: StateStore | undefined;
  #opening: Promise<void> | undefined;
  #flushesSeen = -1;
  /** Live files, as the last epoch left them. */
  readonly #files = new Map<string, DataFile>();
  /** Per exchange: sequences that the log itself has promised to be durable. */
  readonly #acked = new Map<Exchange, number>();
  /** When each actor or group of the running process was restarted, us. */
  readonly #restarts = new Map<string, number[]>();
  #powerFailed = false;

  constructor(truths: readonly Truth[], watched: Watched) {
    this.truths = truths;
    this.#watched = watched;
  }

  get store(): StateStore | undefined {
    return this.#store;
  }

  scene(): Scene {
    const store = this.#store as StateStore;
    return {
      disk: this.#watched.disk(),
      store,
      lakeDir: LAKE_DIR,
      instruments: store.instruments(),
      truths: this.truths,
      parquet: this.#watched.parquet,
    };
  }

  /** After every step of the scheduler. */
  step(steps: number): void {
    const state = this.#watched.stores.get(STATE_DIR);
    // As soon as there is one: a process that is told to stop while it starts commits its epoch, too.
    if (state !== undefined) this.#opening ??= this.#open();
    if (state !== undefined && this.#store !== undefined && state.flushes !== this.#flushesSeen) {
      this.#flushesSeen = state.flushes;
      this.#checkCommit();
    }
    if (steps % LOOK_EVERY === 0) this.#checkAcks();
  }

  /** A process has come up: recovery has thrown nothing whole away and finished the last epoch. */
  started(): void {
    const disk = this.#watched.disk();
    for (const { exchange, mirror } of this.truths) {
      const gone = mirror.look(disk, true);
      hold('I14', gone === undefined, () => `${exchange}: a start threw frames from ${gone} away`);
    }
    const { epoch, publishedEpoch } = (this.#store as StateStore).epoch();
    hold('I11', publishedEpoch === epoch, () => {
      return `a start has left epoch ${epoch} unpublished, ${publishedEpoch} is`;
    });
  }

  async #open(): Promise<void> {
    const { stores, failed } = this.#watched;
    const databases = storesToLookAt(stores);
    try {
      this.#store = await StateStore.open(STATE_DIR, { readOnly: true, databases });
    } catch (error) {
      failed(error);
    }
  }

  /** A process has ended; the machine it ran on has not been touched yet. */
  ended(ending: Ending): void {
    this.#checkEnding(ending);
    this.#checkAcks();
    this.#restarts.clear();
  }

  /** What the end has left of the machine. */
  crashed(powerFailed: boolean): void {
    this.#powerFailed ||= powerFailed;
    this.#followBronze(true);
    for (const { exchange } of this.truths) this.lifeEnded(exchange);
  }

  /** What the ingest actor of an exchange has not written by now it never will. */
  lifeEnded(exchange: Exchange): void {
    this.#followBronze(false);
    const truth = this.truths.find((one) => one.exchange === exchange);
    truth?.endOfLife((this.#watched.venues.get(exchange) as SimExchange).delivered);
  }

  /** I13: never more restarts than the intensity allows. */
  restarted(what: string, nowUs: number): void {
    const { max, periodUs } = this.#watched.restarts;
    const times = this.#restarts.get(what) ?? [];
    times.push(nowUs);
    this.#restarts.set(what, times);
    const recent = times.filter((atUs) => nowUs - atUs < periodUs).length;
    hold('I13', recent <= max, () => `${what}: ${recent} times in the period`);
  }

  #checkEnding({ code, reason }: Ending): void {
    const told = (): string => `the process ended with ${code}: ${reason}`;
    const isHonest = /failed more than \d+ times/.test(reason);
    hold('no-bug', code !== EXIT.internal || isHonest, told);
    hold('no-bug', code !== EXIT.io || this.#watched.diskMayFail, told);
    hold('no-bug', code !== EXIT.config && code !== EXIT.locked, told);
  }

  /** I14: what the log says is durable is. */
  #checkAcks(): void {
    for (const { spec } of this.#watched.threads()) {
      if (spec.role !== 'ingest') continue;
      const head = new LogHead(spec.head, 0);
      if (!head.refresh()) continue;
      const acked = this.#acked.get(spec.exchange) ?? 0;
      this.#acked.set(spec.exchange, Math.max(acked, head.durableNextSequence));
    }
    this.#followBronze(false);
    for (const { exchange, mirror } of this.truths) {
      const acked = this.#acked.get(exchange) ?? 0;
      const upTo = Math.min(acked, mirror.nextSequence);
      const first = mirror.firstNotDurable(this.#watched.disk(), upTo);
      hold('I14', first === undefined, () => {
        return `${exchange}: frames below ${acked} were acknowledged, frame ${first} is not durable`;
      });
    }
  }

  #followBronze(afterCrash: boolean): void {
    const { venues, diskMayFail } = this.#watched;
    for (const truth of this.truths) {
      const { exchange, mirror } = truth;
      const gone = mirror.look(this.#watched.disk(), afterCrash);
      const acked = this.#acked.get(exchange) ?? 0;
      hold('I14', gone === undefined || gone >= acked, () => {
        return `${exchange}: frames below ${acked} were acknowledged, those from ${gone} are gone`;
      });
      truth.forget();
      const { delivered, served } = venues.get(exchange) as SimExchange;
      truth.matchDelivered(delivered, served, diskMayFail, this.#powerFailed);
    }
  }

  #checkCommit(): void {
    const scene = this.scene();
    const { store } = scene;
    const now = store.epoch();
    const before = this.record ?? { ...now, epoch: 0, publishedEpoch: 0, progress: [] };
    this.#followBronze(false);
    this.#checkRings();
    checkEpoch(scene, before, now);
    this.record = now;
    if (now.epoch > before.epoch) this.#checkNewEpoch(scene, now);
    else if (now.publishedEpoch > before.publishedEpoch && this.#watched.tables !== undefined) {
      checkShown(scene, this.#watched.tables, this.#files.values());
    }
  }

  #checkNewEpoch(scene: Scene, { progress }: EpochRecord): void {
    this.epochs++;
    for (const { nextSequence, valid } of progress) this.#watched.digest.add(nextSequence, valid);
    for (const truth of this.truths) {
      const mine = progress.find(({ exchange }) => exchange === truth.exchange);
      truth.cover(mine?.nextSequence ?? 0);
    }
    const added = this.#takeUpFiles(scene.store);
    checkFilesDurable(scene, added);
    const rows = added.filter(({ path }) => !isUpkeep(path));
    checkNewRows(scene, rows);
    if (this.epochs % this.#watched.fullCheckEvery === 0) checkState(scene);
  }

  /** Brings the list of live files up to the store's; answers the new ones. Old ones are not read again. */
  #takeUpFiles(store: StateStore): DataFile[] {
    const state = this.#watched.stores.get(STATE_DIR) as SimStore;
    const paths = new Set(state.keysFrom(FILE_AREA));
    for (const path of this.#files.keys()) if (!paths.has(path)) this.#files.delete(path);
    const added: DataFile[] = [];
    for (const path of paths) {
      if (this.#files.has(path)) continue;
      const file = store.liveFile(path) as DataFile;
      this.#files.set(path, file);
      added.push(file);
    }
    return added;
  }

  /** I9: no ring holds more than it can. */
  #checkRings(): void {
    for (const { spec, dead } of this.#watched.threads()) {
      if (spec.role !== 'gold' || dead) continue;
      const { memory, shard } = spec;
      const rings = [
        ringToCandles(memory, shard),
        ...memory.slots.flatMap((_, v) => [ringToGold(memory, v, shard), ringBack(memory, v)]),
      ];
      for (const { size, capacity } of rings) {
        hold('I9', size >= 0 && size <= capacity, () => `a ring of ${capacity} holds ${size}`);
      }
    }
  }
}

/** A file that maintenance made: its rows were in other files. */
function isUpkeep(path: string): boolean {
  return /\/m[0-9a-z]+-\d+[^/]*\.parquet$/.test(path);
}
