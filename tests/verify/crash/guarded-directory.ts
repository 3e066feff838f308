/**
 * One data directory through many lives: keeps an armed Bullion running on it, gives it orders, and
 * at the end compares everything with the exchanges' journal.
 */
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { EXCHANGES, type Exchange, exchangeKey } from '#schemas/exchange';
import { systemClock } from '#src/base/clock';
import { NO_FIGURES } from '#src/state/job-run';
import { StateStore } from '#src/state/store';
import { readSegments } from '#tests/support/process/bronze-reading';
import {
  Bullion,
  type Exit,
  pause,
  type Scope,
  until,
} from '#tests/support/process/bullion-process';
import { type CheckedDirectory, checkDirectory } from '#tests/support/process/directory-check';
import { freePort } from '#tests/support/process/free-port';
import { FAULTS, startWorld, type World } from '#tests/support/process/simulated-world';
import { CONTROL, FaultOrders } from '#tests/verify/crash/fault-orders';

const ARMED = fileURLToPath(new URL('./armed-process.js', import.meta.url));
/**
 * Lives of a few seconds: what V8 compiles for speed and collects on four threads in them is a third of
 * their processor time, and nothing of it is under test.
 */
const SHORT_LIFE = ['--no-opt', '--single-threaded-gc'];
const DAY_US = 86_400_000_000;
const TRADES_PER_SECOND = 750;
/** Two or three seconds on a quiet machine. */
const WHOLE_MS_MAX = 60_000;

/** One shard of everything: every thread less makes a life shorter. Short everything else. */
const ENVIRONMENT: Readonly<Record<string, string>> = {
  BULLION_HTTP_REQUESTS_PER_SECOND: '100000',
  BULLION_LAYOUT_VALIDATION_SHARDS: '1',
  BULLION_LAYOUT_GOLD_SHARDS: '1',
  BULLION_EPOCHS_INTERVAL_MS: '500',
  // Every restart fetches trades again: their duplicates need not be a file per 64.
  BULLION_BATCHES_CHUNK_ROWS: '16384',
  BULLION_SUPERVISION_HANG_LIMIT_MS: '1500',
  BULLION_SUPERVISION_RESTART_INTENSITY: '1000',
  BULLION_MAINTENANCE_EVERY_MINUTES_COMPACTION: '1',
  BULLION_MAINTENANCE_COMPACTION_FILES_MAX: '2',
  BULLION_MAINTENANCE_SNAPSHOTS_KEEP_MAX: '3',
};

/** A life that ends in a job starts it again the next time: only those do that are to have one. */
const CHECKS_MS = { due: '300', never: '3600000' };

export class GuardedDirectory {
  readonly world: World;
  readonly orders: FaultOrders;
  readonly #scope: Scope;
  readonly #undo: (() => unknown)[];
  #bullion: Bullion | undefined;
  /** Whole blocks of every segment as last seen. */
  #bronze = new Map<string, Buffer>();
  #starts = 0;
  #areJobsDue = false;

  private constructor(undo: (() => unknown)[], world: World) {
    this.#undo = undo;
    this.#scope = { after: (step) => void undo.push(step) };
    this.world = world;
    const control = join(world.cwd, 'control');
    mkdirSync(control);
    this.orders = new FaultOrders(control);
  }

  /** Simulated exchanges and an empty directory, a day old so that maintenance is due. */
  static async make(
    scope: Scope,
    seed: number,
    exchanges: readonly Exchange[] = EXCHANGES,
  ): Promise<GuardedDirectory> {
    const undo: (() => unknown)[] = [];
    const world = await startWorld(
      { after: (step) => void undo.push(step) },
      {
        seed,
        exchanges,
        // Of each exchange: the same of all together, however many there are.
        ratePerSecond: TRADES_PER_SECOND / exchanges.length,
        // After a few cut connections in a row an exchange is left alone for half a minute.
        faults: { ...FAULTS, disconnect: 0, abort: 0 },
      },
    );
    // One for all lives: a gateway that starts again has to be found again.
    const port = String(await freePort());
    const env = { ...world.env, BULLION_HTTP_PORT: port };
    const directory = new GuardedDirectory(undo, { ...world, env });
    scope.after(() => directory.close());
    await directory.#makeJobsDue();
    return directory;
  }

  get starts(): number {
    return this.#starts;
  }

  get running(): Bullion | undefined {
    return this.#bullion;
  }

  /** Makes compaction due soon after the next start; nothing may run meanwhile. */
  async #makeJobsDue(): Promise<void> {
    this.#areJobsDue = true;
    const nowUs = systemClock().nowUs();
    const store = await StateStore.open(join(this.world.dataDir, 'state'), {
      createdUs: nowUs - DAY_US,
    });
    await store.recordJobRun({
      job: 'compaction',
      startedUs: nowUs - 58_000_000,
      tookMs: 1,
      outcome: 'idle',
      ...NO_FIGURES,
      detail: '',
    });
    await store.close();
  }

  /** Ends Bullion by kill -9 if it runs: the next one finds a compaction due. */
  async endWithJobsDue(): Promise<void> {
    if (this.#bullion !== undefined) {
      await this.kill();
      this.ended();
    }
    await this.#makeJobsDue();
  }

  start(): Bullion {
    const { cwd, env, dataDir } = this.world;
    const checksMs = this.#areJobsDue ? CHECKS_MS.due : CHECKS_MS.never;
    this.#areJobsDue = false;
    this.#starts++;
    this.#bullion = Bullion.start(this.#scope, {
      cwd,
      env: {
        ...env,
        ...ENVIRONMENT,
        BULLION_MAINTENANCE_CHECK_INTERVAL_MS: checksMs,
        [CONTROL]: this.orders.directory,
        VERIFY_DATA_DIR: dataDir,
      },
      nodeArgs: [...SHORT_LIFE, '--import', ARMED],
    });
    return this.#bullion;
  }

  /** A second start on the same directory, which has to be refused. */
  startAnother(): Bullion {
    const { cwd, env } = this.world;
    return Bullion.start(this.#scope, { cwd, env });
  }

  /** The running Bullion once every actor runs and an epoch is committed; started if there is none. */
  async whole(): Promise<Bullion> {
    const bullion = this.#bullion ?? this.start();
    await this.wholeAgain(bullion);
    return bullion;
  }

  /** Resolves when it is up, every actor runs and one more epoch is there. */
  async wholeAgain(bullion: Bullion): Promise<void> {
    await bullion.url();
    const epochs = (): number => count(bullion.text, '"epoch committed"');
    const before = epochs();
    await until(
      'Bullion to be whole again',
      async () => {
        if (bullion.isOver) throw new Error(`ended:\n${bullion.text.slice(-2_000)}`);
        if (epochs() <= before) return false;
        const health = await bullion.health();
        return (
          health?.actors.every(({ state }) => state === 'running') === true &&
          health.exchanges.every(({ state }) => state === 'connected')
        );
      },
      WHOLE_MS_MAX,
      50,
    );
  }

  /** It has ended: nothing that was whole in bronze may be gone. */
  ended(): void {
    this.#bullion = undefined;
    this.#noteBronze();
  }

  #noteBronze(): void {
    const now = this.#readBronze();
    const gone: string[] = [];
    for (const [path, bytes] of this.#bronze) {
      if (now.get(path)?.subarray(0, bytes.length).equals(bytes) !== true) gone.push(path);
    }
    this.#bronze = now;
    if (gone.length > 0) throw new Error(`bronze lost bytes of ${gone.join(', ')}`);
  }

  async kill(): Promise<Exit | undefined> {
    return this.#bullion?.end('SIGKILL');
  }

  /** A last life that ends in order, and the comparison of everything. */
  async check(triesLeft = 3): Promise<CheckedDirectory> {
    this.orders.withdraw();
    this.orders.setClock(undefined);
    if (this.#bullion !== undefined) {
      await this.kill();
      this.#noteBronze();
    }
    // A job that an end cuts short leaves its files to the next start: in this life there is none.
    this.#areJobsDue = false;
    this.start();
    const bullion = await this.whole();
    this.world.simulator.pause();
    await pause(100);
    await bullion.judged();
    const { code } = await bullion.end('SIGTERM');
    if (code !== 0) throw new Error(`SIGTERM ended with ${code}:\n${bullion.text.slice(-3_000)}`);
    this.ended();
    if (/cut short|without a last epoch/.test(bullion.text)) {
      // A busy machine: the orderly end has a limit, and what it leaves is the next start's.
      if (triesLeft > 0) return this.check(triesLeft - 1);
      throw new Error(`no orderly end in time:\n${bullion.text.slice(-2_000)}`);
    }
    return checkDirectory(this.world);
  }

  /** Ends and deletes everything. */
  async close(): Promise<void> {
    for (const step of this.#undo.splice(0).reverse()) await step();
  }

  #readBronze(): Map<string, Buffer> {
    const found = new Map<string, Buffer>();
    for (const exchange of this.world.exchanges) {
      const dir = join(this.world.dataDir, 'bronze', exchangeKey(exchange));
      if (!existsSync(dir)) continue;
      for (const { name, bytes } of readSegments(dir)) {
        found.set(`${exchangeKey(exchange)}/${name}`, bytes);
      }
    }
    return found;
  }
}

function count(text: string, part: string): number {
  return text.split(part).length - 1;
}
