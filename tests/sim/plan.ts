/**
 * The plan of a run: everything that is drawn before it starts. A function of the seed alone, plain
 * data, so that a failing run can be repeated with parts of it switched off.
 *
 * Each kind of trouble is off in many seeds: faults hide one another, and a run in which everything
 * fails all the time never gets far. The constants are small, so that segments, rings, batches and
 * files wrap, roll and split thousands of times.
 */
import { Random } from '#src/base/random';
import type { FaultProfile } from '#src/simulator/faults';
import { CALM_NETWORK, type NetworkPlan } from '#tests/sim/exchanges';
import type { Pace } from '#tests/sim/scheduler';

export const MODES = [
  'calm',
  'kills',
  'power',
  'threads',
  'disk',
  'network',
  'feeds',
  'clock',
  'everything',
] as const;
export type Mode = (typeof MODES)[number];

/** How often, per thousand steps, something happens to the process. */
export interface ProcessFaults {
  readonly kill: number;
  readonly power: number;
  readonly stop: number;
  /** Dies at one of the next operations on the disk or the store, perhaps half-way through a write. */
  readonly dieAtOperation: number;
  readonly threadThrows: number;
  readonly threadHangs: number;
  readonly secondStart: number;
  readonly clockJump: number;
}

/** Probability per operation. */
export interface DiskFaults {
  readonly writeError: number;
  readonly shortWrite: number;
  readonly syncError: number;
  readonly nameError: number;
  readonly readError: number;
  readonly storeError: number;
  readonly lakeJobDies: number;
  /** Per thousand steps: the disk is full for a while. */
  readonly full: number;
  /** Per answer of an exchange's REST side: the disk is full when it comes. */
  readonly fullAtAnswer: number;
}

export interface CrashPlan {
  readonly keep: number;
  readonly tear: number;
  /** Of deaths at an operation: the share that is a power loss. */
  readonly powerShare: number;
}

export interface Shape {
  readonly validationShards: number;
  readonly goldShards: number;
  readonly lakeThreads: number;
  readonly batchRows: number;
  readonly slots: number;
  readonly chunkRows: number;
  readonly segmentBytes: number;
  readonly syncIntervalMs: number;
  readonly epochMs: number;
  readonly epochRows: number;
  readonly latenessMs: number;
  readonly hangLimitMs: number;
  readonly snapshotsKept: number;
  readonly maintenance: boolean;
  readonly backfill: boolean;
  readonly parquet: boolean;
  /** Whether tables are Iceberg's, or a list of snapshots. */
  readonly iceberg: boolean;
}

export interface Plan {
  readonly seed: number;
  readonly mode: Mode;
  /** Steps of the safety phase and of the healing together, about. */
  readonly steps: number;
  readonly startUs: number;
  readonly ratePerSecond: number;
  readonly instruments: number;
  readonly exchanges: number;
  readonly pace: Pace;
  readonly shape: Shape;
  /** The shape of the cold replay. */
  readonly replayShape: Shape;
  readonly feed: Partial<FaultProfile>;
  readonly network: NetworkPlan;
  readonly process: ProcessFaults;
  readonly disk: DiskFaults;
  readonly crash: CrashPlan;
  readonly diskSyncUsMax: number;
  /** How long a turn of a thread's event loop lasts at most, us: what comes in it is one write. */
  readonly turnUsMax: number;
  readonly lakeJobUsMax: number;
  /** Every so many commits everything is compared, not only what is new. */
  readonly fullCheckEvery: number;
}

/** Parts of a plan put over the drawn one: how a run is shrunk. */
export type ChangeOfPlan = { readonly [K in keyof Plan]?: Plan[K] | Partial<Plan[K]> };

const NO_PROCESS_FAULTS: ProcessFaults = {
  kill: 0,
  power: 0,
  stop: 0,
  dieAtOperation: 0,
  threadThrows: 0,
  threadHangs: 0,
  secondStart: 0,
  clockJump: 0,
};

/** Real files cost: of a hundred seeds one has both, one has Parquet alone, three have Iceberg. */
const TABLE_KINDS = Array.from({ length: 100 }, (_, i) => ({
  parquet: i < 2,
  iceberg: i >= 1 && i < 5,
}));

/** A few seconds before midnight, the hour or the minute, so that windows and partitions change. */
const BOUNDARIES = [
  Date.UTC(2026, 11, 31, 23, 59, 40),
  Date.UTC(2026, 6, 7, 13, 59, 45),
  Date.UTC(2026, 6, 7, 8, 4, 50),
  Date.UTC(2026, 6, 7, 10, 29, 30),
] as const;

export function drawPlan(seed: number, steps: number): Plan {
  const random = new Random(seed).fork(1);
  /** For what was added later: seeds keep all else that they drew before. */
  const later = new Random(seed).fork(7);
  const mode = random.pick(MODES);
  const has = (...modes: readonly Mode[]): boolean => mode === 'everything' || modes.includes(mode);
  /** Off in half the seeds that could have it; else between nothing and `most`. */
  const rate = (on: boolean, most: number, from = random): number => {
    const drawn = from.unit();
    const isOn = from.chance(0.5);
    return on && isOn ? most * drawn * drawn : 0;
  };
  const shape = drawShape(random);
  const kills = has('kills');
  const power = has('power');
  return {
    seed,
    mode,
    steps,
    startUs: (random.pick(BOUNDARIES) + random.below(10_000)) * 1000,
    ratePerSecond: random.pick([3, 6, 12, 25]),
    instruments: random.between(1, 4),
    exchanges: random.pick([3, 3, 3, 2, 1]),
    pace: {
      stepUsMax: random.pick([50, 500, 5_000]),
      eventFirst: random.pick([0.9, 0.5, 0.2]),
      inOrder: false,
    },
    shape,
    replayShape: { ...drawShape(random), latenessMs: shape.latenessMs, parquet: shape.parquet },
    feed: {
      duplicate: rate(has('feeds'), 0.2),
      reorder: rate(has('feeds'), 0.2),
      late: rate(has('feeds'), 0.05),
      drop: rate(has('feeds', 'network'), 0.1),
      invalid: rate(has('feeds'), 0.1),
      garbage: rate(has('feeds'), 0.05),
      control: rate(has('feeds'), 0.05),
      oversize: rate(has('feeds', 'network'), 0.005),
      disconnect: rate(has('network'), 0.01),
      abort: rate(has('network'), 0.01),
      halfOpen: rate(has('network'), 0.005),
      lose: rate(has('feeds'), 0.02),
      reorderWindow: random.between(1, 20),
      lateUs: [100_000, random.pick([2_000_000, 30_000_000, 90_000_000])],
      replayTrades: random.pick([0, 0, 5, 50]),
      garbageKinds: ['truncated', 'text', 'binary', 'empty', 'utf8'],
    },
    network: {
      ...CALM_NETWORK,
      latencyUsMax: random.pick([1_000, 20_000, 500_000]),
      tickMs: random.pick([50, 100, 250]),
      framesPerTurnMax: random.pick([1, 4, 32]),
      refuse: rate(has('network'), 0.5),
      refuseStatus: rate(has('network'), 0.2),
      deaf: rate(has('network'), 0.5, later),
      cut: rate(has('network'), 0.02),
      restLost: rate(has('network'), 0.3),
      restBusy: rate(has('network'), 0.3),
      restBroken: rate(has('network'), 0.3),
      restTorn: rate(has('network'), 0.3),
      restPadded: rate(has('network', 'disk'), 0.8, later),
    },
    process: {
      ...NO_PROCESS_FAULTS,
      kill: rate(kills || has('disk'), 3),
      power: rate(power, 3),
      stop: rate(kills || power, 1.5),
      dieAtOperation: rate(kills || power, 4),
      threadThrows: rate(has('threads'), 3),
      threadHangs: rate(has('threads'), 1),
      secondStart: rate(kills, 1),
      clockJump: rate(has('clock'), 2),
    },
    disk: {
      writeError: rate(has('disk'), 0.003),
      shortWrite: rate(has('disk'), 0.2),
      syncError: rate(has('disk'), 0.01),
      nameError: rate(has('disk'), 0.003),
      readError: rate(has('disk'), 0.001),
      storeError: rate(has('disk'), 0.03),
      lakeJobDies: rate(has('threads'), 0.01),
      full: rate(has('disk'), 1.5),
      fullAtAnswer: rate(has('disk'), 0.5, later),
    },
    crash: {
      keep: random.pick([0, 0.2, 0.5, 0.8]),
      tear: random.pick([0, 0.5, 1]),
      powerShare: power ? (kills ? 0.5 : 1) : 0,
    },
    diskSyncUsMax: random.pick([500, 20_000, 400_000]),
    turnUsMax: later.pick([30_000, 500, 500, 500]),
    lakeJobUsMax: random.pick([1_000, 50_000, 1_000_000]),
    fullCheckEvery: random.between(4, 12),
  };
}

function drawShape(random: Random): Shape {
  return {
    validationShards: random.between(1, 3),
    goldShards: random.between(1, 3),
    lakeThreads: random.between(1, 2),
    batchRows: random.pick([2, 7, 16, 64]),
    slots: random.pick([4, 5, 8, 16]),
    chunkRows: random.pick([100, 400, 1_600]),
    segmentBytes: random.pick([3_000, 8_000, 20_000, 200_000]),
    syncIntervalMs: random.pick([20, 100, 700]),
    epochMs: random.pick([1_000, 3_000, 6_000, 12_000]),
    epochRows: random.pick([40, 300, 1_000_000]),
    latenessMs: random.pick([0, 1_000, 10_000]),
    hangLimitMs: random.pick([2_000, 5_000]),
    snapshotsKept: random.pick([1, 3, 400]),
    maintenance: random.chance(0.5),
    backfill: random.chance(0.85),
    ...random.pick(TABLE_KINDS),
  };
}

/** The plan with some of its parts replaced; objects are merged one level deep. */
export function changePlan(plan: Plan, change: ChangeOfPlan): Plan {
  const changed: Record<string, unknown> = { ...plan };
  for (const [key, value] of Object.entries(change)) {
    const before = changed[key];
    const isPart = typeof value === 'object' && value !== null && typeof before === 'object';
    changed[key] = isPart ? { ...before, ...value } : value;
  }
  return changed as unknown as Plan;
}
