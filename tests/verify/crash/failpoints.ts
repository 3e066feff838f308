/**
 * The named failpoints: every arrow of the way from a frame to a deleted file, as the disk calls and
 * the methods that stand there. They are places in the shipped code; nothing of them is in it.
 */

/** Calls that change the disk, by what they do. */
export const DISK_CALLS = [
  'create',
  'write',
  'truncate',
  'datasync',
  'fsync',
  'rename',
  'link',
  'unlink',
  'mkdir',
] as const;
export type DiskCall = (typeof DISK_CALLS)[number];

/** Where in a call: half is a write that has taken half of its bytes. */
export type Edge = 'before' | 'half' | 'after';

export interface DiskPoint {
  readonly call: DiskCall;
  /** Of the path inside the data directory. */
  readonly path: RegExp;
  readonly edge: Edge;
}

export interface MethodPoint {
  readonly module: string;
  readonly className: string;
  readonly method: string;
  /** After: once the promise it returned has resolved, where it returns one. */
  readonly edge: 'before' | 'after';
}

export interface Failpoint {
  readonly name: string;
  /** Whose thread gets there. */
  readonly thread: 'ingest' | 'group' | 'lake' | 'maintenance' | 'main' | 'gateway';
  readonly at: DiskPoint | MethodPoint;
}

const SEGMENT = /^bronze\/\w+\/\d+\.log$/;
/** Written under a name of its own, named by a rename to SEGMENT. */
const NEW_SEGMENT = /^bronze\/\w+\/\d+\.log\.tmp$/;
const SEAL = /^bronze\/\w+\/\d+\.seal/;
const DATA_FILE = /^lake\/.*\.parquet/;
const MANIFEST = /\/metadata\/(?!snap-).*\.avro/;
const LIST = /\/metadata\/snap-.*\.avro/;
const METADATA = /\/metadata\/.*\.metadata\.json/;
const HINT = /\/metadata\/version-hint\.text/;

function disk(
  name: string,
  thread: Failpoint['thread'],
  call: DiskCall,
  path: RegExp,
  edge: Edge,
): Failpoint {
  return { name, thread, at: { call, path, edge } };
}

function method(
  name: string,
  thread: Failpoint['thread'],
  module: string,
  className: string,
  of: string,
  edge: 'before' | 'after',
): Failpoint {
  return { name, thread, at: { module, className, method: of, edge } };
}

export const FAILPOINTS: readonly Failpoint[] = [
  // Bronze.
  method('bronze.append', 'ingest', '#src/log/log-writer', 'LogWriter', 'append', 'after'),
  disk('bronze.write.before', 'ingest', 'write', SEGMENT, 'before'),
  disk('bronze.write.half', 'ingest', 'write', SEGMENT, 'half'),
  disk('bronze.write.after', 'ingest', 'write', SEGMENT, 'after'),
  disk('bronze.sync.before', 'ingest', 'datasync', SEGMENT, 'before'),
  disk('bronze.sync.after', 'ingest', 'datasync', SEGMENT, 'after'),
  disk('bronze.roll', 'ingest', 'fsync', SEGMENT, 'after'),
  disk('bronze.seal', 'ingest', 'rename', SEAL, 'before'),
  disk('bronze.sealed', 'ingest', 'rename', SEAL, 'after'),
  disk('bronze.new-segment.half', 'ingest', 'write', NEW_SEGMENT, 'half'),
  disk('bronze.new-segment', 'ingest', 'rename', SEGMENT, 'after'),
  // From frames to reports.
  method('parse', 'group', '#src/exchanges/frame-parser', 'FrameParser', 'parse', 'before'),
  method('gold.seen', 'group', '#src/trades/interval-set', 'IntervalSet', 'add', 'after'),
  method('gold.cut', 'group', '#src/lake/trade-sink', 'TradeSink', 'cut', 'before'),
  method('candles.fold', 'group', '#src/candles/candle-book', 'CandleBook', 'apply', 'after'),
  method('candles.collect', 'group', '#src/candles/candle-book', 'CandleBook', 'collect', 'after'),
  // Data files.
  method('lake.encode', 'lake', '#src/lake/lake-encoder', 'LakeEncoder', 'run', 'before'),
  disk('lake.write.half', 'lake', 'write', DATA_FILE, 'half'),
  disk('lake.fsync', 'lake', 'fsync', DATA_FILE, 'before'),
  disk('lake.rename.before', 'lake', 'rename', DATA_FILE, 'before'),
  disk('lake.rename.after', 'lake', 'rename', DATA_FILE, 'after'),
  // The commit point.
  method('epoch.barrier', 'main', '#src/supervision/epochs', 'EpochCoordinator', 'run', 'after'),
  method(
    'epoch.reported',
    'main',
    '#src/supervision/epochs',
    'EpochCoordinator',
    'report',
    'before',
  ),
  method('state.commit.before', 'main', '#src/state/store', 'StateStore', 'commitEpoch', 'before'),
  method('state.commit.after', 'main', '#src/state/store', 'StateStore', 'commitEpoch', 'after'),
  // Publish.
  disk('publish.manifest.half', 'main', 'write', MANIFEST, 'half'),
  disk('publish.manifest', 'main', 'fsync', MANIFEST, 'after'),
  disk('publish.list', 'main', 'fsync', LIST, 'after'),
  disk('publish.metadata.half', 'main', 'write', METADATA, 'half'),
  disk('publish.metadata.link.before', 'main', 'link', METADATA, 'before'),
  disk('publish.metadata.link.after', 'main', 'link', METADATA, 'after'),
  disk('publish.hint', 'main', 'rename', HINT, 'before'),
  disk('publish.hinted', 'main', 'rename', HINT, 'after'),
  disk('publish.expired', 'main', 'unlink', METADATA, 'after'),
  method(
    'publish.mark.before',
    'main',
    '#src/state/store',
    'StateStore',
    'markPublished',
    'before',
  ),
  method('publish.mark.after', 'main', '#src/state/store', 'StateStore', 'markPublished', 'after'),
  // Deletion.
  disk('delete.before', 'main', 'unlink', DATA_FILE, 'before'),
  disk('delete.after', 'main', 'unlink', DATA_FILE, 'after'),
  method('delete.forget', 'main', '#src/state/store', 'StateStore', 'forgetRemoved', 'before'),
  // Maintenance.
  disk('upkeep.stage', 'maintenance', 'rename', DATA_FILE, 'after'),
  method('upkeep.offer', 'main', '#src/maintenance/upkeep-queue', 'UpkeepQueue', 'offer', 'before'),
  method('upkeep.take', 'main', '#src/maintenance/upkeep-queue', 'UpkeepQueue', 'take', 'after'),
  method(
    'upkeep.commit',
    'main',
    '#src/maintenance/upkeep-queue',
    'UpkeepQueue',
    'committed',
    'before',
  ),
  method(
    'upkeep.publish',
    'main',
    '#src/maintenance/upkeep-queue',
    'UpkeepQueue',
    'published',
    'before',
  ),
  method('upkeep.record', 'main', '#src/state/store', 'StateStore', 'recordJobRun', 'before'),
  // Every actor on its thread; an order names which.
  method('actor.beat', 'gateway', '#src/runtime/counters', 'ActorCounters', 'beat', 'after'),
];

/** Reached only when a compaction is due, which it is after a start of GuardedDirectory's making. */
export function awaitsJobs({ name }: Pick<Failpoint, 'name'>): boolean {
  return /^(upkeep|delete)\./.test(name);
}

/** The nth call that changes the disk, whichever it is. */
export const ANY_CALL = 'disk.any';
export const ANY_HALF_WRITE = 'disk.any.half';

export function isDiskPoint(at: Failpoint['at']): at is DiskPoint {
  return 'call' in at;
}
