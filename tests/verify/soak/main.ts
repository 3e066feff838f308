/**
 * A long run under load: 20,000 trades a second with bursts of ten times that, for `--seconds` (600
 * unless given). Memory, descriptors and threads are read from /proc; after the warm-up (the first
 * three tenths) memory may not rise beyond its own noise and the others may not grow at all. A shorter
 * run shows that it runs.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { startExchanges } from '#bench/simulated-exchanges';
import { Bullion } from '#tests/support/process/bullion-process';
import { runCheck } from '#tests/verify/check-program';
import { marketDirectory } from '#tests/verify/market-directory';
import { fitted } from '#tests/verify/soak/slope';

const SECONDS = 600;
const TRADES_PER_SECOND = 20_000;
/** A burst lasts from one sample to the next. */
const SAMPLE_SECONDS = 2;
const WARM_UP_SHARE = 0.3;
/** Epochs come and go in memory: shorter ones give more ups and downs to average over. */
const EPOCH_SECONDS = 15;
/**
 * Every burst comes four seconds later in its epoch than the one before. One at the end of an epoch
 * needs chunks that one at its beginning does not, and they are kept for the next: before every place
 * has had its burst, memory has not been warmed up.
 */
const BURST_EVERY_SECONDS = { warmingUp: 2 * EPOCH_SECONDS + 4, warm: 4 * EPOCH_SECONDS + 4 };
/** A rise that a ten-minute run cannot tell from noise: this share of the memory over the whole run. */
const RISE_SHARE_MAX = 0.05;

interface Sample {
  readonly second: number;
  readonly rssMiB: number;
  readonly descriptors: number;
  readonly threads: number;
}

function sampleOf(pid: number, second: number): Sample {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const figure = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1]);
  return {
    second,
    rssMiB: figure('VmRSS') / 1024,
    descriptors: readdirSync(`/proc/${pid}/fd`).length,
    threads: figure('Threads'),
  };
}

await runCheck('soak', async (run, scope) => {
  const { count, seconds = SECONDS } = run.options;
  const rate = count ?? TRADES_PER_SECOND;
  const cwd = marketDirectory(scope, 'soak');
  const { simulator, env } = await startExchanges(rate, join(cwd, 'data'));
  scope.after(() => simulator.stop());
  const bullion = Bullion.start(scope, {
    cwd,
    env: { ...env, BULLION_EPOCHS_INTERVAL_MS: String(EPOCH_SECONDS * 1000) },
  });
  await bullion.url();
  const startedMs = performance.now();
  const elapsed = (): number => (performance.now() - startedMs) / 1000;
  const warmUpSeconds = seconds * WARM_UP_SHARE;
  const samples: Sample[] = [];
  let bursts = 0;
  let nextBurst = BURST_EVERY_SECONDS.warmingUp;
  for (let second = 0; second < seconds && !bullion.isOver; second += SAMPLE_SECONDS) {
    const isBurst = second >= nextBurst;
    if (isBurst) {
      bursts++;
      nextBurst += BURST_EVERY_SECONDS[second < warmUpSeconds ? 'warmingUp' : 'warm'];
      simulator.setRate(10 * (rate / 3));
    }
    await pause(Math.max(0, second + SAMPLE_SECONDS - elapsed()) * 1000);
    if (isBurst) simulator.setRate(rate / 3);
    if (!bullion.isOver) samples.push(sampleOf(bullion.pid, elapsed()));
  }
  const health = await bullion.health();
  const { code } = bullion.isOver ? await bullion.exited : await bullion.end('SIGTERM');
  if (code !== 0) run.found(`it ended with ${code}: ${bullion.text.slice(-1_500)}`);
  const steady = samples.filter(({ second }) => second >= warmUpSeconds);
  const fit = fitted(steady.map(({ second, rssMiB }) => [second, rssMiB] as const));
  const mean = steady.reduce((sum, { rssMiB }) => sum + rssMiB, 0) / steady.length;
  const risenMiB = fit.lowerPerSecond * (seconds - warmUpSeconds);
  const trades = health?.actors
    .filter(({ actor }) => actor.startsWith('gold'))
    .reduce((sum, { counters }) => sum + (counters.trades ?? 0), 0);
  const isWarm = seconds >= SECONDS;
  if (!isWarm)
    run.missed.push(`growth: a run of less than ${SECONDS} s is not warm and judges none`);
  if (isWarm && risenMiB > RISE_SHARE_MAX * mean) {
    run.found(
      `memory rises: at least ${(fit.lowerPerSecond * 3600).toFixed(0)} MiB an hour around ${mean.toFixed(0)} MiB`,
    );
  }
  const grown = (what: 'descriptors' | 'threads'): number => {
    const third = Math.max(1, Math.floor(steady.length / 3));
    // Maintenance starts a thread now and then, which holds a few: a leak raises the least, too.
    const least = (some: readonly Sample[]): number => Math.min(...some.map((s) => s[what]));
    return least(steady.slice(-third)) - least(steady.slice(0, third));
  };
  for (const what of ['descriptors', 'threads'] as const) {
    if (isWarm && grown(what) > 2)
      run.found(`${grown(what)} more ${what} in the last third than in the first`);
  }
  run.outcome(`${rate} trades/s with bursts`, code === 0 ? 'ended in order' : 'ended');
  Object.assign(run.figures, {
    seconds,
    'trades a second asked for': rate,
    'bursts of ten times that': bursts,
    'trades in gold': trades ?? 'unknown',
    'memory after the warm-up, MiB (mean)': Math.round(mean),
    'slope, MiB an hour (95 %)': `${(fit.lowerPerSecond * 3600).toFixed(0)} to ${(fit.upperPerSecond * 3600).toFixed(0)}`,
    'descriptors, first and last': `${steady[0]?.descriptors} ${steady.at(-1)?.descriptors}`,
    'threads, first and last': `${steady[0]?.threads} ${steady.at(-1)?.threads}`,
  });
});
