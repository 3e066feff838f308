/**
 * V8 is made for one busy thread; here a dozen share two to six cores and a fixed budget of memory.
 * Set once, before there is any thread.
 */
import { setFlagsFromString } from 'node:v8';

/**
 * V8 compiles a function for speed once it has run for a while, and again when what it had seen until
 * then turns out not to be all there is. Eight threads do so at the same time when the pipeline
 * starts. With four times the patience (the default is 132 KiB of bytecode) they compile half as
 * often: 0.7 of 5 seconds of processor time at a start, and nothing afterwards.
 */
const INTERRUPT_BUDGET_BYTES = 600_000;

/**
 * Young objects live in two halves that V8 lets grow to 16 MiB each, per thread, and does not shrink
 * while there is work. What is young here is small (trades are columns outside of the heap), so a
 * process would creep up by 100 MiB in its first quarter of an hour and gain nothing. The gateway,
 * which makes objects for every request and drops them at once, stays as it is in a storm of them.
 */
const SEMI_SPACE_MIB_MAX = 4;

/**
 * The Parquet writer is WebAssembly: V8 compiles all of it plainly, and a function again, for speed,
 * once it has done a certain amount of work. By default the first files of a process, of a few rows
 * each, are enough for nearly all that are ever called: ten files take 300 ms of processor time. With
 * eleven times the patience they take 130, and a full file afterwards what it took before.
 */
const WASM_TIERING_BUDGET = 20_000_000;

/** For the threads made from now on. */
export function tuneEngine(): void {
  setFlagsFromString(`--interrupt-budget=${INTERRUPT_BUDGET_BYTES}`);
  setFlagsFromString(`--max-semi-space-size=${SEMI_SPACE_MIB_MAX}`);
  setFlagsFromString(`--wasm-tiering-budget=${WASM_TIERING_BUDGET}`);
}
