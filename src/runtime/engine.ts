/**
 * V8 is made for one busy thread; here a dozen share two to six cores and a fixed budget of memory.
 * Set before there is any thread, and its patience once more when the start is over.
 */
import { setFlagsFromString } from 'node:v8';

/**
 * V8 compiles a function for speed once it has run for a while, and again when what it had seen until
 * then turns out not to be all there is. Eight threads do so at the same time when the pipeline
 * starts. With four times the patience they compile half as often: 0.25 of 2.7 seconds of processor time
 * at a start, more at an import. Afterwards it would keep the gateway from being compiled for a long
 * time, whose work is spread over many functions: 0.88 ms of its time a candle query, and not 0.70.
 */
const INTERRUPT_BUDGET_BYTES = { starting: 600_000, settled: 135_168 };

/**
 * Young objects live in two halves that V8 lets grow to 16 MiB each, per thread, and does not shrink
 * while there is work. What is young here is small (trades are columns outside of the heap), so a
 * process would creep up by 100 MiB in its first quarter of an hour and gain nothing.
 */
const SEMI_SPACE_MIB_MAX = 2;

/**
 * The Parquet writer is WebAssembly: V8 compiles all of it plainly, and a function again, for speed,
 * once it has done a certain amount of work. By default the first files of a process, of a few rows
 * each, are enough for nearly all that are ever called: ten files take 300 ms of processor time. With
 * eleven times the patience they take 130, and a full file afterwards what it took before.
 */
const WASM_TIERING_BUDGET = 20_000_000;

/**
 * What has become old is collected once it has grown by 8 MiB, and by what may be young, however
 * little of it lives: 5 to 7 MiB in each thread here. A thread that lets few objects grow old (an
 * ingest) takes ten minutes to get there, and the process seems to leak for as long. Minding size, V8
 * collects after 2 MiB: with the halves above, 600 MiB instead of 710 at 20,000 trades a second, and
 * all of it taken within three minutes. Only once the start is over: it would make the halves of the
 * threads made from then on 1 MiB, and a start collects often enough.
 */
const MINDS_SIZE = '--optimize-for-size';

/** For the threads made from now on. */
export function tuneEngine(): void {
  setFlagsFromString(`--interrupt-budget=${INTERRUPT_BUDGET_BYTES.starting}`);
  setFlagsFromString(`--max-semi-space-size=${SEMI_SPACE_MIB_MAX}`);
  setFlagsFromString(`--wasm-tiering-budget=${WASM_TIERING_BUDGET}`);
}

/** When clients can be answered. An import has none and stays as it is. */
export function settleEngine(): void {
  setFlagsFromString(MINDS_SIZE);
  setFlagsFromString(`--interrupt-budget=${INTERRUPT_BUDGET_BYTES.settled}`);
}
