/**
 * Fuzzing of every parser that meets outside bytes. `--count` inputs per parser (200,000 unless
 * given); `--only exchanges` those of the exchanges'
 * frames, `--only 'the rest'` the others, `--only NAME` one parser, `--only NAME#I` its input I alone.
 *
 * The parsers run on a thread of their own: an input on which one hangs is found from here, by its
 * number standing still.
 */
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { mix32, Random } from '#src/base/random';
import { type CheckOptions, runCheck } from '#tests/verify/check-program';
import { bronzeTargets } from '#tests/verify/fuzz/bronze-target';
import { frameTargets } from '#tests/verify/fuzz/frame-targets';
import { outsideTargets } from '#tests/verify/fuzz/outside-targets';
import type { FuzzTarget } from '#tests/verify/fuzz/target';

const INPUTS = 200_000;
/** An input takes microseconds; some are written to a file first. */
const HANG_MS = 10_000;
const STACK_FRAMES = 10;
/** Of one parser; more of them say nothing new. */
const FINDINGS_MAX = 3;

interface Progress {
  readonly target: number;
  readonly input: number;
}

interface Told {
  readonly target: string;
  readonly inputs: number;
  readonly seconds: number;
  readonly outcomes: Readonly<Record<string, number>>;
  readonly failures: readonly { readonly input: number; readonly what: string }[];
}

interface Work {
  readonly options: CheckOptions;
  readonly progress: SharedArrayBuffer;
}

function inputRandom(seed: number, target: FuzzTarget, input: number): Random {
  let name = 0;
  for (const letter of target.name) name = mix32(name, letter.charCodeAt(0));
  return new Random(mix32(mix32(seed, name), input));
}

/** What failed, with a stack: the input once more, this time with stacks. */
async function failureOf(
  target: FuzzTarget,
  seed: number,
  input: number,
  first: unknown,
): Promise<string> {
  let thrown = first;
  Error.stackTraceLimit = STACK_FRAMES;
  try {
    await target.run(inputRandom(seed, target, input));
  } catch (again) {
    thrown = again;
  }
  Error.stackTraceLimit = 0;
  const what = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
  return what.slice(0, 1_800);
}

async function fuzz(
  target: FuzzTarget,
  { seed, count = INPUTS }: CheckOptions,
  only: number | undefined,
  beat: (input: number) => void,
): Promise<Told> {
  const outcomes: Record<string, number> = {};
  const failures: { input: number; what: string }[] = [];
  const startedMs = performance.now();
  let inputs = 0;
  for (let input = only ?? 0; input < (only === undefined ? count : only + 1); input++) {
    beat(input);
    inputs++;
    try {
      const outcome = target.run(inputRandom(seed, target, input));
      const said = typeof outcome === 'string' ? outcome : await outcome;
      outcomes[said] = (outcomes[said] ?? 0) + 1;
    } catch (error) {
      failures.push({ input, what: await failureOf(target, seed, input, error) });
      if (failures.length >= FINDINGS_MAX) break;
    }
  }
  return {
    target: target.name,
    inputs,
    seconds: (performance.now() - startedMs) / 1000,
    outcomes,
    failures,
  };
}

async function work(
  { options, progress }: Work,
  say: (told: Told | 'done') => void,
): Promise<void> {
  // Most inputs are refused by an error: its stack costs more than what threw it.
  Error.stackTraceLimit = 0;
  const at = new Int32Array(progress);
  const undo: (() => unknown)[] = [];
  const scope = { after: (step: () => unknown) => void undo.push(step) };
  const frames = frameTargets();
  const others = [...(await bronzeTargets()), ...(await outsideTargets(scope))];
  const targets = [...frames, ...others];
  const [name, input] = (options.only ?? '').split('#');
  for (const [i, target] of targets.entries()) {
    const isAsked =
      name === '' ||
      target.name.includes(name as string) ||
      (name === 'exchanges' && frames.includes(target)) ||
      (name === 'the rest' && others.includes(target));
    if (!isAsked) continue;
    Atomics.store(at, 0, i);
    const only = input === undefined ? undefined : Number(input);
    say(await fuzz(target, options, only, (n) => Atomics.store(at, 1, n)));
  }
  for (const step of undo) await step();
  say('done');
}

if (!isMainThread) {
  await work(workerData as Work, (told) => parentPort?.postMessage(told));
  process.exit(0);
} else {
  await runCheck('fuzz', async (run) => {
    const progress = new SharedArrayBuffer(8);
    const worker = new Worker(new URL(import.meta.url), {
      workerData: { options: run.options, progress } satisfies Work,
    });
    let total = 0;
    const names: string[] = [];
    const perParser: Record<string, number> = {};
    await new Promise<void>((resolve) => {
      const at = new Int32Array(progress);
      let seen: Progress = { target: -1, input: -1 };
      let sinceMs = performance.now();
      const watch = setInterval(() => {
        const now = { target: at[0] as number, input: at[1] as number };
        if (now.target !== seen.target || now.input !== seen.input) {
          seen = now;
          sinceMs = performance.now();
        } else if (performance.now() - sinceMs > HANG_MS) {
          run.found(`parser number ${now.target} hangs on input ${now.input}`);
          void worker.terminate();
          done();
        }
      }, 500);
      const done = (): void => {
        clearInterval(watch);
        resolve();
      };
      worker.on('message', (told: Told | 'done') => {
        if (told === 'done') return done();
        const { target, inputs, seconds, outcomes, failures } = told;
        names.push(target);
        perParser[target] = inputs;
        total += inputs;
        for (const [outcome, times] of Object.entries(outcomes)) {
          run.outcome(target, outcome, times);
        }
        run.took(`${inputs.toLocaleString('en')} inputs of ${target}`, seconds * 1000);
        for (const { input, what } of failures) {
          run.found(`${target}: ${what}`, `--only '${target}#${input}'`);
        }
        if (Object.keys(outcomes).length < 2 && inputs > 1_000) {
          run.missed.push(`${target}: every input came out as ${Object.keys(outcomes).join()}`);
        }
      });
      worker.on('error', (error) => {
        run.found(`parser number ${at[0]} ended the thread on input ${at[1]}: ${error.stack}`);
        done();
      });
    });
    Object.assign(run.figures, { parsers: names.length, 'inputs in all': total, ...perParser });
  });
}
