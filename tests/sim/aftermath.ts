/**
 * What comes after the last fault: a healing phase in which everything has to come back, an orderly
 * end that covers everything, a comparison of all there is, and a cold replay of what bronze holds.
 */
import type { Exchange } from '#schemas/exchange';
import { EXIT } from '#src/base/errors';
import type { Random } from '#src/base/random';
import { StateStore } from '#src/state/store';
import { checkLakeTidy, checkReplay, checkState, checkTables, type Scene } from '#tests/sim/checks';
import type { SimDisk } from '#tests/sim/disk';
import { CALM_NETWORK, type SimExchange } from '#tests/sim/exchanges';
import { SimStores, storesToLookAt } from '#tests/sim/key-value';
import type { Plan } from '#tests/sim/plan';
import type { SimProcess } from '#tests/sim/process';
import type { Scheduler } from '#tests/sim/scheduler';
import { DATA_DIR, STATE_DIR } from '#tests/sim/sim-config';
import { checkSource, firstMissing } from '#tests/sim/source-checks';
import { hold, Violation } from '#tests/sim/violation';
import type { Watch } from '#tests/sim/watch';

/** Simulated time within which everything has to be back after the last fault. */
const HEAL_US_MAX = 180_000_000;
/** Trading goes on for so long after the last fault: what is missing shows by what follows. */
const HEAL_TRADING_US = 4_000_000;
/** A heal that takes more steps than this is stuck, whatever the clock says. */
const HEAL_STEPS_MAX = 60_000;
const LOOK_EVERY_US = 1_000_000;
/** When nothing goes wrong the actors keep up. */
const CALM_PACE = { stepUsMax: 50, eventFirst: 0.5 };
/** A new process has no waits left from before; one that goes on has to get over them. */
const HEALS_WITH_NEW_PROCESS = 0.7;
/** Orderly ends within which everything has to be covered: one may run out of time to drain. */
const STOPS_MAX = 4;
const STOP_US_MAX = 30_000_000;
/** A replay of a few thousand frames takes some thousand. */
const REPLAY_STEPS_MAX = 200_000;

/** A world that nothing more happens to, and what can still be done in it. */
export interface CalmWorld {
  readonly plan: Plan;
  readonly scheduler: Scheduler;
  readonly random: Random;
  readonly venues: ReadonlyMap<Exchange, SimExchange>;
  readonly watch: Watch;
  /** The running server, if there is one. */
  readonly process: () => SimProcess | undefined;
  /** Whether a range of the instrument was given up. */
  readonly isGivenUp: (exchange: Exchange, nativeSymbol: string) => boolean;
  readonly drive: (done: () => boolean) => Promise<void>;
  readonly start: () => void;
  /** A process that makes everything again from the bronze on this disk. */
  readonly replay: (disk: SimDisk, stores: SimStores) => SimProcess;
}

export class Aftermath {
  readonly #world: CalmWorld;

  constructor(world: CalmWorld) {
    this.#world = world;
  }

  /** Everything has to come back. */
  async heal(): Promise<void> {
    const { scheduler, plan, venues, watch, random, process, drive } = this.#world;
    scheduler.pace = { ...plan.pace, ...CALM_PACE };
    for (const venue of venues.values()) {
      venue.network = { ...CALM_NETWORK, tickMs: 250 };
      venue.isCalm = true;
    }
    if (random.chance(HEALS_WITH_NEW_PROCESS)) process()?.end({ code: undefined, reason: 'kill' });
    const fromUs = scheduler.nowUs;
    const fromSteps = scheduler.steps;
    let lastTradingEpoch: number | undefined;
    let nextLookUs = 0;
    let problem: string | undefined = 'it was never looked at';
    await drive(() => {
      const forUs = scheduler.nowUs - fromUs;
      if (scheduler.nowUs < nextLookUs) return false;
      nextLookUs = scheduler.nowUs + LOOK_EVERY_US;
      problem = this.#whatIsDown();
      if (problem === undefined && forUs > HEAL_TRADING_US) {
        if (lastTradingEpoch === undefined) {
          lastTradingEpoch = watch.record?.epoch ?? 0;
          for (const venue of venues.values()) venue.finish();
        }
        problem = this.#whatIsMissing(lastTradingEpoch);
        if (problem === undefined) return true;
      }
      return forUs > HEAL_US_MAX || scheduler.steps - fromSteps > HEAL_STEPS_MAX;
    });
    const seconds = Math.round((scheduler.nowUs - fromUs) / 1e6);
    const steps = scheduler.steps - fromSteps;
    hold('I15', problem === undefined, () => {
      return `${seconds} s and ${steps} steps after the last fault: ${problem}`;
    });
  }

  #whatIsDown(): string | undefined {
    const { venues, process } = this.#world;
    if (process()?.up !== true) return 'the process is not up';
    const down = [...venues.values()].find((venue) => !venue.isSubscribed);
    return down && `nobody listens to ${down.exchange}`;
  }

  /** What should be in the last epoch by now and is not. */
  #whatIsMissing(lastTradingEpoch: number): string | undefined {
    const { plan, watch, venues, isGivenUp } = this.#world;
    const { store } = watch;
    const record = store?.epoch();
    if (store === undefined || record === undefined) return 'there is no state';
    if (record.epoch <= lastTradingEpoch) return `no epoch after ${lastTradingEpoch}`;
    if (record.publishedEpoch !== record.epoch) return `epoch ${record.epoch} is not published`;
    // A clock that is wrong makes dead letters of good trades.
    if (!plan.shape.backfill || plan.process.clockJump > 0) return undefined;
    return firstMissing(store, venues, isGivenUp);
  }

  /** An orderly stop covers everything; then everything is compared, and made again from bronze. */
  async end(): Promise<void> {
    const { venues, watch, process, start, drive } = this.#world;
    for (let stops = 1; ; stops++) {
      await this.#stopInOrder();
      const behind = this.#whatIsBehind();
      if (behind === undefined) break;
      hold('I15', stops < STOPS_MAX, () => behind);
      start();
      await drive(() => process()?.up === true);
    }
    const scene = watch.scene();
    checkState(scene);
    checkTables(scene);
    checkLakeTidy(scene, 'at the end');
    checkSource(watch.truths, venues);
    await this.#replay(scene);
  }

  async #stopInOrder(): Promise<void> {
    const { scheduler, drive } = this.#world;
    const process = this.#world.process();
    if (process === undefined) throw new Violation('I15', 'no process runs at the end');
    process.stop();
    const fromUs = scheduler.nowUs;
    await drive(() => process.gone || scheduler.nowUs - fromUs > STOP_US_MAX);
    hold('I15', process.ending?.code === EXIT.ok && process.ending.reason === 'stopped', () => {
      return `the orderly end was ${JSON.stringify(process.ending)}`;
    });
  }

  #whatIsBehind(): string | undefined {
    const { watch } = this.#world;
    const { progress } = watch.scene().store.epoch();
    for (const { exchange, mirror } of watch.truths) {
      const covered = progress.find((one) => one.exchange === exchange)?.nextSequence ?? 0;
      if (covered !== mirror.nextSequence) {
        return `${exchange}: the last epoch covers ${covered}, bronze ends at ${mirror.nextSequence}`;
      }
    }
    return undefined;
  }

  /** I5: what bronze holds makes the same again, in another shape and from nothing. */
  async #replay(first: Scene): Promise<void> {
    const { scheduler, drive, replay } = this.#world;
    const folder = `${DATA_DIR}/bronze`;
    const disk = first.disk.copyFolder(folder, folder);
    const stores = new SimStores();
    const process = replay(disk, stores);
    const fromSteps = scheduler.steps;
    process.start();
    await drive(() => process.gone || scheduler.steps - fromSteps > REPLAY_STEPS_MAX);
    hold('I5', process.ending?.reason === 'replayed', () => {
      return `the replay ended with ${JSON.stringify(process.ending)}`;
    });
    const databases = storesToLookAt(stores);
    const store = await StateStore.open(STATE_DIR, { readOnly: true, databases });
    checkReplay(first, { ...first, disk, store });
  }
}
