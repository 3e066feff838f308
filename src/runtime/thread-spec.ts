/**
 * What a thread is told when it starts: plain data and shared memory, handed over as workerData.
 * What the last epoch says comes along, for whoever needs it once; everything else a thread opens
 * itself (logs, sockets; the state, where it is read later on), so a restarted one starts like the first.
 */
import type { Exchange, ExchangeKey } from '#schemas/exchange';
import type { Instrument } from '#schemas/instrument';
import type { AccessRules } from '#src/api/access';
import type { Config } from '#src/config/schema';
import type { ExchangeProgress } from '#src/runtime/epoch-report';
import type { GroupMemory } from '#src/runtime/group-memory';

/** Folders of a data directory. */
export interface DataPaths {
  readonly bronze: string;
  readonly state: string;
  /** The warehouse, unless the configuration names another. */
  readonly lake: string;
}

/** What every thread gets. */
interface Common {
  /** Actor id, as in the layout: `validation-0`, `ingest-binance`, ... */
  readonly id: string;
  readonly cores: readonly number[];
  /** The instrument board and this actor's row on it. */
  readonly board: SharedArrayBuffer;
  readonly boardRow: number;
  readonly paths: DataPaths;
  readonly instruments: readonly Instrument[];
  readonly config: Config;
}

/** What every thread of the processing group gets. */
interface Processing extends Common {
  readonly memory: GroupMemory;
  /** Prefix of the names of the files this actor stages; new for every generation. */
  readonly filePrefix: string;
}

export interface ValidationSpec extends Processing {
  readonly role: 'validation';
  readonly shard: number;
  /** The exchanges this shard owns. */
  readonly sources: readonly {
    readonly exchange: Exchange;
    /** The head of its log; none when nobody appends to it. */
    readonly head: SharedArrayBuffer | undefined;
    /** Where the last epoch left off; none when no epoch has come to the log. */
    readonly progress: ExchangeProgress | undefined;
  }[];
}

export interface GoldSpec extends Processing {
  readonly role: 'gold';
  readonly shard: number;
  /** The last epoch's interval sets of the shard's instruments, packed, by instrument code. */
  readonly intervals: ReadonlyMap<number, Uint8Array>;
  /** Where the newest trades are shown (src/trades/live-trades.ts); undefined where nobody looks. */
  readonly liveTrades: SharedArrayBuffer | undefined;
}

export interface CandlesSpec extends Processing {
  readonly role: 'candles';
  readonly live: SharedArrayBuffer;
}

export interface IngestSpec extends Common {
  readonly role: 'ingest';
  readonly exchange: Exchange;
  readonly key: ExchangeKey;
  readonly head: SharedArrayBuffer;
  /** The group's doorbells, and the validation shard whose bell is rung after every append. */
  readonly doorbells: SharedArrayBuffer;
  readonly validationShard: number;
  /** Sequence up to which the last epoch has made the log durable. */
  readonly durableNextSequence: number;
  /** The last epoch's interval sets of its instruments, packed, by instrument code. */
  readonly intervals: ReadonlyMap<number, Uint8Array>;
  /** Seeds the jitter of this actor's back-off. */
  readonly seed: number;
}

export interface GatewaySpec extends Common {
  readonly role: 'gateway';
  readonly access: AccessRules;
  /** Signs cursors: the same for every start of the gateway within a process. */
  readonly cursorSecret: Uint8Array;
  readonly live: SharedArrayBuffer;
  readonly liveTrades: SharedArrayBuffer;
  /** The doorbells of all actors: its own is rung when live trades or candles have changed. */
  readonly doorbells: SharedArrayBuffer;
}

export type ThreadSpec = ValidationSpec | GoldSpec | CandlesSpec | IngestSpec | GatewaySpec;
